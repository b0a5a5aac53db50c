import { describe, expect, it } from "vitest";
import { tokenTexts } from "../run/pieces";
import type { ShownRun } from "../run/run";
import { END, frameOf, PIECES, readingOf, shownRunOf, tokensOf } from "../testing/runs";
import { nextToken } from "./nextToken";
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
