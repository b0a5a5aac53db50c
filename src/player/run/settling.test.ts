import { describe, expect, it } from "vitest";
import { frameOf, shownRunOf, tokensOf } from "../testing/runs";
import { changedPositions, lastChange, settledAt, settlingOf, wordStarts } from "./settling";

const run = shownRunOf([
  "▁sat ▁sat s ▁sat </s>",
  "▁the ▁cat s ▁sat </s>",
  "▁sat ▁cat . ▁sat </s>",
  "▁the ▁cat s </s> </s>",
]);
const { frames } = run.trajectory;

describe("settledAt", () => {
  it("is the first frame from which a token stays, not the first in which it appears", () => {
    expect(Array.from(settledAt(frames, "holds"))).toEqual([3, 1, 3, 3, 0]);
  });
});

describe("settlingOf", () => {
  it("counts tokens before the end only", () => {
    expect(settlingOf(run, "holds")?.perFrame).toEqual([0, 1, 0, 2]);
  });

  it("counts a word as settled when all its tokens are", () => {
    expect(settlingOf(run, "holds")).toMatchObject({ words: 2, wordsByFrame: [0, 0, 0, 2] });
  });

  it("claims nothing of a run that has not reached its end", () => {
    expect(settlingOf({ ...run, status: "running" }, "holds")).toBeNull();
    expect(settlingOf({ ...run, status: "cancelled" }, "holds")).toBeNull();
    const short = { ...run.trajectory, frames: frames.slice(0, 2) };
    expect(settlingOf({ ...run, trajectory: short }, "holds")).toBeNull();
  });

  it("tells the two readings apart", () => {
    const steady = { ...frameOf(0, 1, "▁the"), expects: frameOf(0, 1, "▁cat").holds };
    const two = shownRunOf(["▁the", "▁the"]);
    const mixed = { ...two, trajectory: { ...two.trajectory, frames: [steady, frameOf(1, 1, "▁the")] } };
    expect(settlingOf(mixed, "holds")?.perFrame).toEqual([1, 0]);
    expect(settlingOf(mixed, "expects")?.perFrame).toEqual([0, 1]);
  });
});

describe("wordStarts", () => {
  it("begins a word at each space, and at the front without one", () => {
    expect(wordStarts(tokensOf("s", "▁the", "▁cat", "s", "."), run.pieces)).toEqual([0, 1, 2]);
  });
});

describe("changes", () => {
  it("are found against the frame before, and none at the start", () => {
    expect([...changedPositions(frames, 1, "holds")]).toEqual([0, 1]);
    expect(changedPositions(frames, 0, "holds").size).toBe(0);
  });

  it("are remembered per token, up to the frame shown", () => {
    expect(lastChange(frames, 3, "holds", 0)?.step).toBe(3);
    expect(lastChange(frames, 1, "holds", 0)?.step).toBe(1);
    expect(lastChange(frames, 3, "holds", 1)?.step).toBe(1);
    expect(lastChange(frames, 3, "holds", 4)).toBeNull();
  });
});
