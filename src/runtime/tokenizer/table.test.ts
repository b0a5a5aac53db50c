import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { createTokenizer } from "../tokenizer";

/** Texts in which tokenizers differ, and the ids that are right; export/tests/test_tokenizer_table.py holds Python to it. */
const table: { texts: string[]; ids: Record<string, number[][]> } = JSON.parse(
  gunzipSync(readFileSync("test/fixtures/tokenizers/table.json.gz")).toString(),
);

const FILES = {
  sentencepiece: "test/fixtures/tokenizers/sentencepiece.json",
  "translate-de-en": "models/translate-de-en/tokenizer.json",
  "stories-mini": "test/fixtures/stories-mini/tokenizer.json",
  // Not shipped: T5's own files lie beside the repository where somebody has put them.
  t5: "../shared/tokenizers/t5/tokenizer.json",
} as const;

describe("the table of texts", () => {
  for (const [name, file] of Object.entries(FILES)) {
    it.skipIf(!existsSync(file))(`has the ids of the reference by ${name}`, async () => {
      const json = readFileSync(file, "utf8");
      const { encode } = await createTokenizer(json, JSON.parse(json).model.vocab.length);
      const wrong = table.texts.flatMap((text, row) => {
        const ids = encode(text);
        const right = table.ids[name]?.[row];
        return JSON.stringify(ids) === JSON.stringify(right) ? [] : [{ text, ids, right }];
      });
      expect(wrong).toEqual([]);
      expect(table.texts.length).toBeGreaterThanOrEqual(2000);
    });
  }
});
