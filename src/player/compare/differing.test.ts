import { expect, it } from "vitest";
import { differingPositions } from "./differing";

const EOS = 1;
const differing = (a: number[], b: number[], eos: number | null = EOS) => [
  ...differingPositions(Int32Array.from(a), Int32Array.from(b), eos),
];

it("tokens differ place by place", () => {
  expect(differing([5, 6, 7], [5, 9, 7])).toEqual([1]);
  expect(differing([5, 6, 7], [5, 6, 7])).toEqual([]);
});

it("what stands after both ends is no part of either text", () => {
  expect(differing([5, EOS, 7, 8], [5, EOS, 9, 9])).toEqual([]);
  expect(differing([5, EOS, 7, 8, 4], [5, 6, 9, EOS, 9])).toEqual([1, 2, 3]);
  expect(differing([5, EOS, 7, 8], [5, EOS, 9, 9], null)).toEqual([2, 3]);
});

it("a run of fewer positions differs from where it has none", () => {
  expect(differing([5, 6, 7], [5])).toEqual([1, 2]);
  expect(differing([5], [5, 6, 7])).toEqual([]);
});
