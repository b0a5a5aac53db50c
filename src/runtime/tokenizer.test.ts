import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createTokenizer, numberTokenizer, TokenizerError } from "./tokenizer";
import type { TokenizerFile } from "./tokenizer/reader";

const json = readFileSync("test/fixtures/tiny-model/tokenizer.json", "utf8");

const replacing = (pattern: string) => ({ type: "Replace", pattern: { Regex: pattern }, content: "" });
const vocabularyWith = (entry: [string, number]) => {
  const { model } = JSON.parse(json) as TokenizerFile;
  return { ...model, vocab: [...model.vocab, entry] };
};

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

  it.each<[string, (file: TokenizerFile) => unknown, string]>([
    ["a pattern that never ends", ({ model }) => ({ normalizer: replacing("(a+)+$"), model }), "(a+)+$"],
    ["a piece of a million letters", () => ({ model: vocabularyWith(["x".repeat(1e6), -1]) }), "1000000 letters"],
    ["a piece without a score", () => ({ model: vocabularyWith(["x", Number.NaN]) }), "is none"],
    ["an unknown token out of its vocabulary", ({ model }) => ({ model: { ...model, unk_id: 999 } }), "outside"],
  ])("refuses %s before it is used", async (_, change, words) => {
    const file = JSON.parse(json);
    await expect(createTokenizer(JSON.stringify({ ...file, ...(change(file) as object) }), 128)).rejects.toThrow(words);
  });
});

/** Shared with the Python tests. */
const FIXTURE = "test/fixtures/clean-up";
const GOLDEN = "../shared/golden/text.json";

describe("decode", () => {
  const spaced = readFileSync(`${FIXTURE}/tokenizer.json`, "utf8");
  const rows: { ids: number[]; text: string; text_without_clean_up: string }[] = JSON.parse(
    readFileSync(`${FIXTURE}/rows.json`, "utf8"),
  );
  const textsOf = async (config: string | undefined) => {
    const { decode } = await createTokenizer(spaced, 23, config);
    return rows.map(({ ids }) => decode(ids));
  };

  it("takes spaces before punctuation out where the configuration says so, or nothing", async () => {
    const cleaned = rows.map(({ text }) => text);
    expect(await textsOf('{"clean_up_tokenization_spaces": true}')).toEqual(cleaned);
    expect(await textsOf('{"tokenizer_class": "T5Tokenizer"}')).toEqual(cleaned);
    expect(await textsOf(undefined)).toEqual(cleaned);
  });

  it("leaves them where it says that they belong there", async () => {
    const whole = rows.map(({ text_without_clean_up }) => text_without_clean_up);
    expect(await textsOf('{"clean_up_tokenization_spaces": false}')).toEqual(whole);
  });

  it.each([
    "{",
    "null",
    '{"clean_up_tokenization_spaces": null}',
    '{"clean_up_tokenization_spaces": "yes"}',
  ])("names a configuration that means nothing: %s", async (broken) => {
    await expect(createTokenizer(spaced, 23, broken)).rejects.toThrow(/tokenizer_config\.json cannot be read/);
  });

  // Official texts are not shipped: put them in ../shared/golden.
  it.skipIf(!existsSync(GOLDEN))("writes what the official evaluation writes", async () => {
    const t5 = (file: string) => readFileSync(`../shared/tokenizers/t5/${file}`, "utf8");
    const { decode } = await createTokenizer(t5("tokenizer.json"), 32100, t5("tokenizer_config.json"));
    const golden: { ids_after_cut: number[]; text: string; what: string }[] = JSON.parse(
      readFileSync(GOLDEN, "utf8"),
    ).rows;
    expect(golden.length).toBeGreaterThanOrEqual(12);
    for (const row of golden) expect(decode(row.ids_after_cut), row.what).toBe(row.text);
  });
});

describe("numberTokenizer", () => {
  it("writes numbers", () => {
    const { pieces, decode } = numberTokenizer(20);
    expect(pieces[12]).toBe("▁12");
    expect(decode(Int32Array.of(3, 12))).toBe("3 12");
  });
});
