/**
 * What a next-word model makes of a text: the mathematics of a judge, as `elf score` has it (`export/src/elf/evaluation/perplexity.py`),
 * and of writing by one.
 */
import { frequencyEntropy } from "./frequencyEntropy";
import type { Reading } from "./network";
import { foldIn, keyOf, randomBits } from "./random";
import type { Frame } from "./trajectory";

/** How likely a text is under a judge, and how varied. */
export interface Judgement {
  /** Summed −ln p of the tokens that count, in nats. */
  readonly nats: number;
  /** How many tokens count. */
  readonly tokens: number;
  /** exp of nats a token, 1 … ; null where none counts. */
  readonly perplexity: number | null;
  /** Of the frequencies of the text's own tokens, in nats. */
  readonly entropy: number;
}

/** A text as a judge reads it. */
export interface JudgedText {
  /** What comes before the text, the text, and where there is room its end; `longest` tokens at most. */
  readonly ids: readonly number[];
  /** How many of them are given and no part of the text. */
  readonly given: number;
  /** The text's own tokens. */
  readonly own: readonly number[];
}

/**
 * Lays out a text of tokens `text` after those of `source`, for a judge that reads `longest` tokens: a text that is too long
 * loses its end, a source its beginning.
 */
export function judgedText(
  text: readonly number[],
  source: readonly number[],
  longest: number,
  eos: number,
): JudgedText {
  const own = text.slice(0, longest);
  const room = longest - own.length;
  const given = source.slice(source.length - Math.min(source.length, Math.max(room - 1, 0)));
  return { ids: [...given, ...own, ...(room > 0 ? [eos] : [])], given: given.length, own };
}

/** The same of a text that answers a source: `before` stands before every answer, and each has an end. */
export function judgedAnswer(text: readonly number[], before: number, longest: number, eos: number): JudgedText {
  const own = text.slice(0, longest - 1);
  return { ids: [before, ...own, eos], given: 1, own };
}

/**
 * What a judge says of a text. `logits` (S, V) row-major are what follows each of the first S tokens of `ids`, S + 1 in all.
 * The first token of all is given; of several `eos` the first alone counts.
 */
export function judgementOf(
  { ids, given, own }: JudgedText,
  logits: Float32Array,
  vocabularySize: number,
  eos: number,
): Judgement {
  let nats = 0;
  let tokens = 0;
  let hasEnded = false;
  for (const [place, id] of ids.entries()) {
    if (place < given) continue;
    const counts = id !== eos || !hasEnded;
    hasEnded ||= id === eos;
    if (place === 0 || !counts) continue;
    const row = logits.subarray((place - 1) * vocabularySize, place * vocabularySize);
    nats += logTotal(row) - (row[id] as number);
    tokens++;
  }
  return { nats, tokens, perplexity: tokens > 0 ? Math.exp(nats / tokens) : null, entropy: frequencyEntropy(own) };
}

/** A token that was drawn, and what else it could have been. */
export interface DrawnToken {
  readonly token: number;
  /** How likely it was, 0 … 1. */
  readonly probability: number;
  /** Of what could have stood here, in nats. */
  readonly entropy: number;
  /** The likeliest, best first. */
  readonly topTokens: readonly number[];
  readonly topProbabilities: readonly number[];
}

/**
 * Draws the token that follows from its logits (V); `uniform` lies in 0 … 1, or is null for the likeliest. Shows the `k` likeliest
 * beside it.
 */
export function drawToken(logits: Float32Array, uniform: number | null, k: number): DrawnToken {
  const total = logTotal(logits);
  const probabilities = Float64Array.from(logits, (logit) => Math.exp(logit - total));
  let entropy = 0;
  let below = 0;
  let token = -1;
  for (const [id, p] of probabilities.entries()) {
    if (p > 0) entropy -= p * Math.log(p);
    below += p;
    if (uniform !== null && token < 0 && uniform < below) token = id;
  }
  const best = likeliest(probabilities, k);
  // Rounding may leave the sum a little below 1.
  if (token < 0) token = best[0] as number;
  return {
    token,
    probability: probabilities[token] as number,
    entropy,
    topTokens: best,
    topProbabilities: best.map((id) => probabilities[id] as number),
  };
}

/** The `k` likeliest, best first, of equal ones the first; a vocabulary is too long to be sorted for each token. */
function likeliest(probabilities: Float64Array, k: number): number[] {
  const best: number[] = [];
  for (const [id, p] of probabilities.entries()) {
    if (best.length === k && p <= (probabilities[best[k - 1] as number] as number)) continue;
    const before = best.findIndex((other) => (probabilities[other] as number) < p);
    best.splice(before < 0 ? best.length : before, 0, id);
    best.length = Math.min(best.length, k);
  }
  return best;
}

/** A number in 0 … 1 for the token at `place` of a text of this seed. */
export function uniformAt(seed: number, place: number): number {
  const [bits = 0] = randomBits(foldIn(keyOf(seed), place), 1, "partitionable");
  return bits / 2 ** 32;
}

/**
 * The frames of a text that was written token by token: frame k has its first k tokens, then its end. `given` comes before
 * those that were drawn, and is there from the first frame on.
 */
export function framesByToken(given: readonly number[], drawn: readonly DrawnToken[], eos: number): Frame[] {
  const k = Math.max(1, ...drawn.map(({ topTokens }) => topTokens.length));
  const sure = (token: number): DrawnToken => ({
    token,
    probability: 1,
    entropy: 0,
    topTokens: [token],
    topProbabilities: [1],
  });
  const all = [...given.map(sure), ...drawn];
  return Array.from({ length: drawn.length + 1 }, (_, step) => {
    const holds = readingOf(all.slice(0, given.length + step), all.length + 1, k, eos);
    return { step, t: drawn.length > 0 ? step / drawn.length : 1, holds, expects: holds };
  });
}

/** A text of `length` positions whose first are these and whose others are its end. */
function readingOf(tokens: readonly DrawnToken[], length: number, k: number, eos: number): Reading {
  const reading = {
    tokens: new Int32Array(length).fill(eos),
    entropy: new Float32Array(length),
    topTokens: new Int32Array(length * k).fill(eos),
    topProbabilities: new Float32Array(length * k),
  };
  for (const [place, { token, entropy, topTokens, topProbabilities }] of tokens.entries()) {
    reading.tokens[place] = token;
    reading.entropy[place] = entropy;
    reading.topTokens.set(topTokens, place * k);
    reading.topProbabilities.set(topProbabilities, place * k);
  }
  return reading;
}

/** ln Σ exp, without overflow. */
function logTotal(logits: Float32Array): number {
  const peak = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  return peak + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - peak), 0));
}
