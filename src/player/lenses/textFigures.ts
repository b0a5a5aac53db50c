/** How varied a text is, by its words: the figures of `elf score`, see `export/src/elf/evaluation/words.py`. */

/** Different runs of `order` words over all such runs, 0 … 1; 0 where there are none. */
export function distinct(words: readonly string[], order: number): number {
  const grams = gramsOf(words, order);
  return share(new Set(grams).size, grams.length);
}

/** Share of the words, the first left out, that equal the one before them, 0 … 1. */
export function adjacentRepetition(words: readonly string[]): number {
  const repeats = words.filter((word, i) => i > 0 && word === words[i - 1]).length;
  return share(repeats, words.length - 1);
}

/** Share of the runs of four words that were said before, 0 … 1. */
export function repeatedGrams(words: readonly string[]): number {
  const grams = gramsOf(words, 4);
  return share(grams.length - new Set(grams).size, grams.length);
}

function gramsOf(words: readonly string[], order: number): string[] {
  return Array.from({ length: Math.max(0, words.length - order + 1) }, (_, i) => words.slice(i, i + order).join("\0"));
}

function share(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}
