import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTokenizer } from "../../src/runtime/tokenizer";
import { jsonFiles, texts } from "./inputs";
import { withstands } from "./withstands";

const read = (path: string) => readFileSync(path, "utf8");
const SMALL = ["test/fixtures/tiny-model/tokenizer.json", "test/fixtures/tokenizers/sentencepiece.json"].map(read);
const PROMPTS = [
  "Once upon a time, there was a cat.",
  "Ein Mädchen — „Lily“ — lief\u00a0heim.</s><pad>",
  "a".repeat(3000),
  "\u0301".repeat(500),
  " ".repeat(3000),
];

describe("tokenizers from strangers", () => {
  it("are refused by name, or read a prompt as tokens and write them as text", async () => {
    const { read, refusals } = await withstands({
      inputs: jsonFiles(...SMALL),
      read: async (json) => {
        const { encode, decode } = await createTokenizer(json, 300);
        return PROMPTS.map((prompt) => decode(encode(prompt)));
      },
      holds: (decoded) => expect(decoded.every((text) => typeof text === "string")).toBe(true),
    });
    expect(read).toBeGreaterThan(0);
    expect(refusals).toEqual(new Set(["tokenizer"]));
  });

  it("whatever their configuration says", async () => {
    const { refusals } = await withstands({
      inputs: jsonFiles(read("test/fixtures/tiny-model/tokenizer_config.json")),
      read: (config) => createTokenizer(SMALL[0] as string, 300, config),
    });
    expect(refusals).toEqual(new Set(["tokenizer"]));
  });

  it.each([
    ["models/stories/tokenizer.json", 8192],
    ["test/fixtures/tokenizers/sentencepiece.json", 8000],
  ])("%s reads any prompt", async (path, size) => {
    const { encode, decode } = await createTokenizer(read(path), size);
    await withstands({
      inputs: fc.oneof(texts(...PROMPTS), fc.string({ unit: "binary", maxLength: 3000 })),
      read: encode,
      holds: (ids) => {
        expect(ids.every((id) => Number.isInteger(id) && id >= 0 && id < size)).toBe(true);
        expect(typeof decode(ids)).toBe("string");
      },
    });
  });
});
