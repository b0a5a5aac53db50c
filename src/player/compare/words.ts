/** What is said of runs side by side, in one language. */
export interface CompareWords {
  /** Of a token that is another than the first run has at its place. */
  readonly differs: string;
  differ(tokens: number): string;
  /** In place of a run that is not written yet. */
  readonly coming: string;
  /** How long a run had been written, where they go by the clock. */
  atSecond(seconds: number): string;
}

export const ENGLISH_COMPARE: CompareWords = {
  differs: "differs from the first",
  differ: (tokens) =>
    tokens === 0 ? "the same tokens" : `${tokens} ${tokens === 1 ? "token differs" : "tokens differ"}`,
  coming: "Not written yet.",
  atSecond: (seconds) => `after ${seconds.toFixed(1)} s`,
};
