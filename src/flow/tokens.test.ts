import { expect, it } from "vitest";
import { cutAtEnd } from "./tokens";

it("drops the first end-of-sequence token and everything after it", () => {
  expect(Array.from(cutAtEnd(Int32Array.of(5, 6, 1, 7, 1), 1))).toEqual([5, 6]);
  expect(Array.from(cutAtEnd(Int32Array.of(5, 6), 1))).toEqual([5, 6]);
  expect(Array.from(cutAtEnd(Int32Array.of(1, 6), 1))).toEqual([]);
});
