/** The lenses there are, in the order in which they are offered. */
export type LensId = "paths" | "certainty" | "schedule" | "numbers" | "quality";

/** What lenses say, in one language. */
export interface LensWords {
  readonly label: string;
  readonly titles: Readonly<Record<LensId, string>>;
  /** What a lens shows, in a sentence or two. */
  readonly about: Readonly<Record<LensId, string>>;
  readonly asTable: string;
  number(value: number, digits?: number): string;
  percent(share: number): string;
  readonly step: string;
  readonly time: string;
  readonly position: string;
  readonly word: string;
  readonly notYet: string;
  /** Of a run that is being written, in a lens that shows whole ones. */
  readonly whenComplete: string;
  /** Of what a lens shows, where nobody has asked for it yet. */
  missing(lens: LensId): string;
  readonly paths: {
    readonly entropy: string;
    readonly nearest: string;
    said(step: number, steps: number, t: string, decided: number, positions: number): string;
    /** The words that the position read, in their order. */
    followed(position: number, words: readonly string[]): string;
    /** Of a picture that is no model's, but of one run alone. */
    readonly ownBasis: string;
  };
  readonly certainty: {
    readonly settledAt: string;
    readonly entropyAtEnd: string;
    readonly changes: string;
    said(words: number, median: number, last: number): string;
    /** The steps between a quarter and three quarters of the words, both included. */
    phase(from: number, to: number): string;
    /** The same steps, of so many runs. */
    usual(runs: number, from: number, to: number): string;
    readonly unsettled: string;
    /** Of a text without any. */
    readonly noWords: string;
  };
  readonly schedule: {
    readonly length: string;
    readonly kept: string;
    readonly density: string;
    said(steps: number, early: number): string;
    keptSaid(least: number): string;
  };
  readonly numbers: {
    readonly entropy: string;
    readonly settled: string;
    readonly distinct: string;
    readonly words: string;
    readonly decided: string;
    readonly wordEntropy: string;
    readonly distinctOf: (order: number) => string;
    readonly adjacent: string;
    readonly repeated: string;
    said(entropy: string): string;
  };
  readonly quality: {
    readonly text: string;
    readonly perplexity: string;
    readonly entropy: string;
    /** At the ends of the two axes. */
    readonly surprising: string;
    readonly varied: string;
    readonly real: string;
    /** Of the run that is shown, in the table. */
    shown(label: string): string;
    said(perplexity: string, entropy: string, realPerplexity: string, realEntropy: string): string;
    /** Of a run without a text to judge. */
    realSaid(perplexity: string, entropy: string): string;
  };
}

const format = (digits: number) =>
  new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }).format;
const formats = [0, 1, 2, 3].map(format);

export const ENGLISH_LENSES: LensWords = {
  label: "Lenses",
  titles: { paths: "Paths", certainty: "Certainty", schedule: "Schedule", numbers: "Numbers", quality: "Quality" },
  about: {
    paths:
      "Each point is a token of the text, its embedding seen in the two directions in which the model's words differ most: a cloud of noise at first, words at the end, and behind each the path it came. Violet: still open. Ink: decided. Press a point to follow it alone, with the words it read on its way; press its path to go there.",
    certainty:
      "Each row is a token of the text, each column a step. Violet: still open. Paper: decided. Orange: it has just changed; under it, the steps in which the middle half of the words settles. Press a place to go there.",
    schedule:
      "Where the steps stand between noise and text, how long each is, and how much of its state a step keeps before fresh noise is mixed in.",
    numbers: "How open the text is, how many of its words have settled, and how varied they are, step by step.",
    quality:
      "Each violet point is one of your runs, the orange one is shown: to the right texts of many different words, below those that a small next-word model, the judge, expects. Grey: a hundred real texts; the cross is what all of them come to. Below it and to its left texts say the same again and again. Press a point to see its run.",
  },
  asTable: "As a table",
  number: (value, digits = 2) => (formats[digits] ?? format(digits))(value),
  percent: (share) => `${(formats[0] as (value: number) => string)(100 * share)} %`,
  step: "step",
  time: "t",
  position: "position",
  word: "word",
  notYet: "There is nothing to show yet.",
  whenComplete: "This is shown when the run is complete.",
  missing: (lens) =>
    lens === "quality"
      ? "No judge has read this text yet."
      : "Where the tokens of this run were has not been kept with it.",
  paths: {
    entropy: "nats",
    nearest: "nearest tokens",
    said: (step, steps, t, decided, positions) =>
      `Step ${step} of ${steps}, t = ${t}: ${decided} of ${positions} tokens are as good as decided.`,
    followed: (position, words) =>
      words.length === 1
        ? `Position ${position} reads “${words[0]}” all the way.`
        : `Position ${position} reads, one after the other: ${words.join(", ")}.`,
    ownBasis:
      "The directions are those of this run's own end: its picture is not to be laid beside those of other runs.",
  },
  certainty: {
    settledAt: "settled at step",
    entropyAtEnd: "nats at the end",
    changes: "changes",
    said: (words, median, last) =>
      `Of ${words} words half have settled by step ${median}, and the last settles at step ${last}.`,
    phase: (from, to) =>
      `The middle half of them settles ${from === to ? `at step ${from}` : `in steps ${from} to ${to}`}.`,
    usual: (runs, from, to) =>
      `Of ${runs === 1 ? "1 run" : `${runs} runs`} like it the middle half ${from === to ? `at step ${from}` : `in steps ${from} to ${to}`} (violet).`,
    unsettled: "What has settled is known when the run is complete.",
    noWords: "The text has no words that could settle.",
  },
  schedule: {
    length: "length of the step",
    kept: "share of the state kept",
    density: "density of the times",
    said: (steps, early) => `Of ${steps} steps ${early} begin before t = 0.4.`,
    keptSaid: (least) => ` Where most noise is mixed in, ${Math.round(100 * least)} % of the state is kept.`,
  },
  numbers: {
    entropy: "mean entropy (nats)",
    settled: "share of words settled",
    distinct: "different words",
    words: "words",
    decided: "words as good as decided",
    wordEntropy: "entropy of the words (nats)",
    distinctOf: (order) => (order === 1 ? "different words, of all" : `different runs of ${order} words, of all`),
    adjacent: "words said twice in a row",
    repeated: "runs of 4 words said before",
    said: (entropy) => `At the last step the mean entropy is ${entropy} nats.`,
  },
  quality: {
    text: "text",
    perplexity: "perplexity",
    entropy: "entropy (nats)",
    surprising: "↑ perplexity under the judge",
    varied: "entropy of its tokens (nats) →",
    real: "real text",
    shown: (label) => `${label} (shown)`,
    said: (perplexity, entropy, realPerplexity, realEntropy) =>
      `Perplexity ${perplexity}, entropy ${entropy} nats; real text has ${realPerplexity} and ${realEntropy}.`,
    realSaid: (perplexity, entropy) => `Real text has a perplexity of ${perplexity} and an entropy of ${entropy} nats.`,
  },
};
