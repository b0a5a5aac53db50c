import { describe, expect, it } from "vitest";
import { frequencyEntropy } from "../../flow/frequencyEntropy";
import { adjacentRepetition, distinct, repeatedGrams } from "./textFigures";

const wordsOf = (text: string) => text.split(" ").filter(Boolean);

// The same by `elf.evaluation.words`, on the same words.
describe.each<[string, readonly [number, number, number], number, number, number]>([
  ["the cat saw the cat", [3 / 5, 3 / 4, 1], 0, 0, 1.0549201679861442],
  ["no no no no no no", [1 / 6, 1 / 5, 1 / 4], 1, 2 / 3, 0],
  ["a b c d a b c d a", [4 / 9, 4 / 8, 4 / 7], 0, 2 / 6, 1.3689223607402192],
  ["one", [1, 0, 0], 0, 0, 0],
  ["", [0, 0, 0], 0, 0, 0],
])("of %o", (text, variety, adjacent, repeated, entropy) => {
  const words = wordsOf(text);
  it("are those of elf score", () => {
    expect([1, 2, 3].map((order) => distinct(words, order))).toEqual(variety);
    expect(adjacentRepetition(words)).toBe(adjacent);
    expect(repeatedGrams(words)).toBeCloseTo(repeated, 12);
    expect(frequencyEntropy(words)).toBeCloseTo(entropy, 12);
  });
});
