import { expect, it } from "vitest";
import { slowestOf } from "./interactions";

it("one interaction in fifty may be slower than what is counted", () => {
  expect(slowestOf([40, 900, 24], 49)).toBe(900);
  expect(slowestOf([40, 900, 24], 50)).toBe(40);
  expect(slowestOf([40, 900, 24], 149)).toBe(24);
  // The others were answered at once.
  expect(slowestOf([16], 120)).toBe(0);
  expect(slowestOf([], 3)).toBe(0);
});
