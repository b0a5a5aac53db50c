import { describe, expect, it } from "vitest";
import { END, PIECES, tokensOf } from "../testing/runs";
import { joinText, tokenName, tokenTexts } from "./pieces";

const shown = (...pieces: string[]) => tokenTexts(tokensOf(...pieces), PIECES, END);

describe("tokenTexts", () => {
  it("puts spaces where pieces say so, and none before the first word", () => {
    expect(shown("▁the", "▁cat", "s", ".").map(({ text, spaceBefore }) => [text, spaceBefore])).toEqual([
      ["the", false],
      ["cat", true],
      ["s", false],
      [".", false],
    ]);
  });

  it("reads a row of byte pieces as one character, shown by its first token", () => {
    expect(shown("▁the", "<0xE2>", "<0x82>", "<0xAC>", "s").map(({ text }) => text)).toEqual(["the", "€", "", "", "s"]);
  });

  it("survives bytes that are no character", () => {
    expect(shown("<0xE2>", "s")[0]?.text).toBe("\uFFFD");
  });

  it("marks what comes after the end, and the end itself", () => {
    expect(shown("▁the", "</s>", "▁cat", "</s>").map(({ kind, afterEnd }) => [kind, afterEnd])).toEqual([
      ["word", false],
      ["end", false],
      ["word", true],
      ["end", true],
    ]);
  });

  it("shows neither padding nor a lone space, and a sign for what has no text", () => {
    expect(shown("▁the", "<pad>", "▁", "<unk>").map(({ kind, text }) => [kind, text])).toEqual([
      ["word", "the"],
      ["blank", ""],
      ["blank", ""],
      ["unknown", "⁇"],
    ]);
    expect(tokenTexts(Int32Array.of(999), PIECES, END)[0]?.kind).toBe("unknown");
  });
});

describe("joinText", () => {
  it("is the text up to the end", () => {
    expect(joinText(tokensOf("▁the", "▁cat", "s", ".", "</s>", "▁sat"), PIECES, END)).toBe("the cats.");
  });

  it("is all of it where there is no end", () => {
    expect(joinText(tokensOf("▁the", "▁", "▁cat"), PIECES, null)).toBe("the  cat");
  });
});

describe("tokenName", () => {
  it("has a name for what cannot be seen", () => {
    const name = (piece: string) => tokenName(PIECES.indexOf(piece), PIECES, END);
    expect(["▁cat", "</s>", "<pad>", "▁", "<0xE2>", "<unk>"].map(name)).toEqual([
      "cat",
      "end of text",
      "padding",
      "space",
      "byte E2",
      "⁇",
    ]);
  });
});
