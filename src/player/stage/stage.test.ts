import { describe, expect, it } from "vitest";
import { tokenTexts } from "../run/pieces";
import type { ShownRun } from "../run/run";
import { END, frameOf, PIECES, readingOf, shownRunOf, tokensOf } from "../testing/runs";
import { ENGLISH } from "../words";
import { nextToken } from "./nextToken";
import { progressOf } from "./Progress";
import { reservedTexts } from "./reservedTexts";

describe("the reserved texts", () => {
  const longest = (run: ShownRun) => reservedTexts(run, 1)[0];

  it("hold the longest frame of either reading", () => {
    const run = shownRunOf(["▁the .", "▁the ▁the", ". ."]);
    expect(longest(run)).toBe("the the");
    const expecting = { ...frameOf(0, 1, ".", "."), expects: readingOf("▁the", "▁cat", "s") };
    expect(longest({ ...run, trajectory: { ...run.trajectory, frames: [expecting] } })).toBe("the cats");
  });

  it("have no room for what is not shown", () => {
    expect(longest(shownRunOf(["▁the </s> </s> <pad> </s>"]))).toBe("the");
  });

  it("hold ordinary text of the length to come, with or without a run", () => {
    expect(reservedTexts(null, 64)[1].length).toBeGreaterThan(250);
    expect(reservedTexts(shownRunOf(["▁the"]), 64)[1]).toBe(reservedTexts(null, 64)[1]);
  });

  it("are no longer than any model writes, whatever length a run says that was kept", () => {
    expect(reservedTexts(null, 2 ** 53 - 1)[1]).toBe(reservedTexts(null, 2 ** 16)[1]);
  });
});

describe("what is said of a run's progress", () => {
  const written = shownRunOf(["▁sat ▁sat", "▁the ▁sat", "▁the ▁cat", "▁the ▁cat"]);
  const said = (run: ShownRun) => progressOf(run, 3, "holds", ENGLISH);
  const withFramesOf = (places: readonly number[], change: Partial<ShownRun> = {}): ShownRun => ({
    ...written,
    ...change,
    trajectory: {
      ...written.trajectory,
      frames: places.map((place) => written.trajectory.frames[place] as (typeof written.trajectory.frames)[number]),
    },
  });

  it("is how much has settled once all is read, how far it got before, and how much is read between", () => {
    expect(said(written)).toBe("2 of 2 words settled");
    expect(said(withFramesOf([0, 1], { status: "running" }))).toBe("Writing, step 1 of 3");
    expect(said(withFramesOf([0, 1], { status: "cancelled" }))).toBe("Stopped at step 1 of 3");
    expect(said(withFramesOf([0, 0, 0, 3]))).toBe("Written; 1 of 3 steps are read");
  });
});

describe("moving from token to token", () => {
  const texts = tokenTexts(tokensOf("▁the", "<pad>", "▁cat", "."), PIECES, END).filter(({ text }) => text !== "");

  it("passes over what cannot be seen and stops at the ends", () => {
    expect(nextToken("ArrowRight", texts, 0)).toBe(2);
    expect(nextToken("ArrowLeft", texts, 2)).toBe(0);
    expect(nextToken("ArrowLeft", texts, 0)).toBe(0);
    expect(nextToken("End", texts, 0)).toBe(3);
    expect(nextToken("ArrowRight", texts, 3)).toBe(3);
  });

  it("goes on to the left in what is read from right to left", () => {
    expect(nextToken("ArrowLeft", texts, 0, true)).toBe(2);
    expect(nextToken("ArrowRight", texts, 2, true)).toBe(0);
    expect(nextToken("ArrowDown", texts, 0, true)).toBe(2);
  });

  it("leaves other keys alone", () => {
    expect(nextToken("g", texts, 0)).toBeUndefined();
  });
});
