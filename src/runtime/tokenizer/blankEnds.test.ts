import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createTokenizer } from "../tokenizer";

/** What Python says (export/tests/fixtures/make_blank_ends.py). */
const { atEnds, prompts }: { atEnds: number[]; prompts: { text: string; ids: number[] }[] } = JSON.parse(
  readFileSync("test/fixtures/blank-ends.json", "utf8"),
);

describe("what is blank at the ends of a prompt", () => {
  it("is for `trim`, by which page, package and command read one, what it is for `elf sample`: no other character", () => {
    const trimmed = Array.from({ length: 0x110000 }, (_, code) => code).filter(
      (code) => String.fromCodePoint(code).trim() === "",
    );
    expect(trimmed).toEqual(atEnds);
    // The byte-order mark is, the next line and the separators of files are not.
    expect([0xfeff, 0x3000, 0x2028, 0x85, 0x1c, 0x200b].map((code) => atEnds.includes(code))).toEqual([
      ...[true, true, true],
      ...[false, false, false],
    ]);
  });

  it("leaves the tokens that `elf sample` reads, wherever a text has such characters", async () => {
    const json = readFileSync("models/translate-de-en/tokenizer.json", "utf8");
    const { encode } = await createTokenizer(json, JSON.parse(json).model.vocab.length);
    expect(prompts.map(({ text }) => ({ text, ids: encode(text.trim()) }))).toEqual(prompts);
    expect(prompts.length).toBeGreaterThan(150);
  });
});
