import { expect, it } from "vitest";
import { shownRunOf } from "../testing/runs";
import { middleHalf, stepBySettled, withRun } from "./phases";
import { type Settling, settlingOf } from "./settling";

const settling = (frames: readonly string[]) => settlingOf(shownRunOf(frames), "holds") as Settling;

it("adds up when words settle: four at once in one run, one after another in the next", () => {
  const atOnce = settling(["▁sat ▁sat ▁sat ▁sat", "▁the ▁cat ▁the ▁cat", "▁the ▁cat ▁the ▁cat", "▁the ▁cat ▁the ▁cat"]);
  const inTurn = settling(["▁sat ▁sat ▁sat ▁sat", "▁the ▁sat ▁sat ▁sat", "▁the ▁cat ▁sat ▁sat", "▁the ▁cat ▁the ▁cat"]);
  const one = withRun(undefined, atOnce);
  expect(one).toEqual({ wordsByFrame: [0, 4, 4, 4], words: 4, runs: 1 });
  expect(middleHalf(one)).toEqual([1, 1]);
  const both = withRun(one, inTurn);
  expect(both).toEqual({ wordsByFrame: [0, 5, 6, 8], words: 8, runs: 2 });
  expect(stepBySettled(both, 1 / 2)).toBe(1);
  expect(middleHalf(both)).toEqual([1, 2]);
});

it("has no step where there are no words", () => {
  expect(middleHalf({ wordsByFrame: [0, 0], words: 0 })).toEqual([-1, -1]);
});
