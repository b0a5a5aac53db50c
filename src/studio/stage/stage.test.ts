import { describe, expect, it } from "vitest";
import { tokenTexts } from "../run/pieces";
import { END, frameOf, PIECES, readingOf, runOf, tokensOf } from "../testing/runs";
import { longestFrame } from "./longestFrame";
import { nextToken } from "./nextToken";

describe("the longest frame", () => {
  it("is found in either reading", () => {
    const run = runOf(["▁the .", "▁the ▁the", ". ."]);
    expect(longestFrame(run)).toEqual(tokensOf("▁the", "▁the"));
    const expecting = { ...frameOf(0, 1, ".", "."), expects: readingOf("▁the", "▁cat") };
    const other = { ...run, trajectory: { ...run.trajectory, frames: [expecting] } };
    expect(longestFrame(other)).toEqual(tokensOf("▁the", "▁cat"));
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

  it("leaves other keys alone", () => {
    expect(nextToken("g", texts, 0)).toBeUndefined();
  });
});
