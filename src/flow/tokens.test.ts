import { expect, it } from "vitest";
import { cutAtEnd, targetOf } from "./tokens";

it("drops the first end-of-sequence token and everything after it", () => {
  expect(Array.from(cutAtEnd(Int32Array.of(5, 6, 1, 7, 1), 1))).toEqual([5, 6]);
  expect(Array.from(cutAtEnd(Int32Array.of(5, 6), 1))).toEqual([5, 6]);
  expect(Array.from(cutAtEnd(Int32Array.of(1, 6), 1))).toEqual([]);
});

it("takes what was written after the prompt, as long as a target may be", () => {
  const tokens = Int32Array.of(1, 9, 5, 6, 7, 1, 8);
  expect(Array.from(targetOf(tokens, 2, 5, 1))).toEqual([5, 6, 7]);
  expect(Array.from(targetOf(tokens, 2, 2, 1))).toEqual([5, 6]);
  expect(Array.from(targetOf(tokens, 0, 7, 1))).toEqual([]);
});
