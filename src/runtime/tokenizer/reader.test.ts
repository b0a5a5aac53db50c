import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createTokenizer, TokenizerError } from "../tokenizer";
import { readerOf, type TokenizerFile } from "./reader";

const json = readFileSync("test/fixtures/tokenizers/sentencepiece.json", "utf8");
const file: TokenizerFile = JSON.parse(json);
const size = file.model.vocab.length;
const shipped: TokenizerFile = JSON.parse(readFileSync("models/translate-de-en/tokenizer.json", "utf8"));

const TEXTS = ["the cat sat", "  xin ch\u00e0o \ufeff", "한국 \u200b ggggg", "</s> a <extra_id_0>  b", ""];
const METASPACE = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };

describe("readerOf", () => {
  it("takes older files of T5 for what they mean", () => {
    const [charsmap] = (file.normalizer as unknown as { normalizers: [{ type: string }] }).normalizers;
    const { prepend_scheme: _, ...words } = METASPACE;
    const older = {
      ...file,
      normalizer: charsmap,
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [{ type: "WhitespaceSplit" }, { ...words, add_prefix_space: true }],
      },
    };
    for (const text of TEXTS) expect(readerOf(older)?.(text)).toEqual(readerOf(file)?.(text));
  });

  it.each([
    ["another normaliser", { normalizer: { type: "Lowercase" } }],
    ["no normaliser", { normalizer: null }],
    ["a step more", { normalizer: { type: "Sequence", normalizers: [{ type: "NFKC" }, { type: "Lowercase" }] } }],
    ["another pre-tokenizer", { pre_tokenizer: { type: "Whitespace" } }],
    ["no pre-tokenizer", { pre_tokenizer: null }],
    ["a first space only", { pre_tokenizer: { ...METASPACE, prepend_scheme: "first" } }],
    ["another model", { model: { ...file.model, type: "BPE" } }],
    ["bytes", { model: { ...file.model, byte_fallback: true } }],
    ["no unknown token", { model: { ...file.model, unk_id: null } }],
    ["tokens that are not special", { added_tokens: [{ ...(file.added_tokens[0] as object), special: false }] }],
  ])("has none for %s", (_, change) => {
    expect(readerOf({ ...file, ...change } as TokenizerFile)).toBeUndefined();
    expect(readerOf({ ...shipped, ...change } as TokenizerFile)).toBeUndefined();
  });
});

describe("createTokenizer", () => {
  it("passes over the padding and truncation that a file asks for", async () => {
    const asking = {
      ...file,
      padding: { strategy: { Fixed: 40 }, direction: "Right", pad_id: 0, pad_type_id: 0, pad_token: "<pad>" },
      truncation: { direction: "Right", max_length: 3, strategy: "LongestFirst", stride: 0 },
    };
    const [plain, read] = [await createTokenizer(json, size), await createTokenizer(JSON.stringify(asking), size)];
    for (const text of TEXTS) expect(read.encode(text)).toEqual(plain.encode(text));
  });

  it("names a table of normalisations that is cut off", async () => {
    const cut = { type: "Precompiled", precompiled_charsmap: btoa("\x00\x10\x00\x00abcd") };
    const squeeze = { type: "Replace", pattern: { Regex: " {2,}" }, content: "▁" };
    const broken = { ...file, normalizer: { type: "Sequence", normalizers: [cut, squeeze] } };
    await expect(createTokenizer(JSON.stringify(broken), size)).rejects.toThrow(TokenizerError);
    await expect(createTokenizer(JSON.stringify(broken), size)).rejects.toThrow("its charsmap is cut off");
  });

  it("bears whatever a table of normalisations holds", async () => {
    const squeeze = { type: "Replace", pattern: { Regex: " {2,}" }, content: "▁" };
    for (const seed of [1, 2, 3, 4]) {
      const noise = Array.from(
        { length: 404 },
        (_, i) => (i < 4 ? [144, 1, 0, 0][i] : (i * i * seed * 37) % 256) as number,
      );
      const table = { type: "Precompiled", precompiled_charsmap: btoa(String.fromCharCode(...noise)) };
      const odd = { ...file, normalizer: { type: "Sequence", normalizers: [table, squeeze] } };
      const { encode } = await createTokenizer(JSON.stringify(odd), size);
      for (const text of TEXTS) expect(encode(text).every((id) => id >= 0 && id < size)).toBe(true);
    }
  });

  it.each([
    ["one word of letters", "a".repeat(300_000)],
    ["marks for spaces", `${"▁".repeat(300_000)}a`],
    ["spaces", `a${" ".repeat(300_000)}b`],
    ["special tokens", "</s>".repeat(50_000)],
    ["spaces before a special token", `${" ".repeat(300_000)}<extra_id_0>`],
  ])("reads 300,000 letters in little time: %s", async (_, text) => {
    for (const each of [json, JSON.stringify(shipped)]) {
      const { encode } = await createTokenizer(each, size);
      const begin = performance.now();
      encode(text);
      // Minutes, where time grows with the square.
      expect(performance.now() - begin).toBeLessThan(15_000);
    }
  });
});
