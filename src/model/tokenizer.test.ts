import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createTokenizer, numberTokenizer, TokenizerError } from "./tokenizer";

const json = readFileSync("test/fixtures/tiny-model/tokenizer.json", "utf8");

describe("createTokenizer", () => {
  it("spells every id as the file does", async () => {
    const { pieces } = await createTokenizer(json, 128);
    const vocabulary = JSON.parse(json).model.vocab as [string, number][];
    expect(pieces).toEqual(vocabulary.map(([piece]) => piece));
    expect(pieces[1]).toBe("</s>");
  });

  it("leaves ids that the file does not know without a piece", async () => {
    const { pieces } = await createTokenizer(json, 130);
    expect(pieces.slice(127)).toEqual([expect.stringMatching(/./), "", ""]);
  });

  it("writes text without special tokens, with spaces where pieces have them", async () => {
    const { pieces, decode } = await createTokenizer(json, 128);
    const word = pieces.findIndex((piece) => /^▁[a-z]/.test(piece));
    const text = pieces[word]?.slice(1);
    expect(decode([word, word, 1, 0, 0])).toBe(`${text} ${text}`);
    expect(decode([])).toBe("");
  });

  it.each(["", "{}", '{"model":{"type":"Unheard"}}'])("names a file it cannot read: %j", async (broken) => {
    await expect(createTokenizer(broken, 128)).rejects.toThrow(TokenizerError);
  });
});

describe("numberTokenizer", () => {
  it("writes numbers", () => {
    const { pieces, decode } = numberTokenizer(20);
    expect(pieces[12]).toBe("▁12");
    expect(decode(Int32Array.of(3, 12))).toBe("3 12");
  });
});
