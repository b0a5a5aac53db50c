/** How sure the decoder is of a text as a whole: by that, one is chosen of several. */
import type { Reading } from "./network";
import { cutAtEnd } from "./tokens";

/**
 * Mean entropy of the decoder over a text, in nats a token, 0 … ln(vocabulary): over its tokens before the first `eos`, or
 * over all where there is none. Of several texts at t = 1 the one with the least has made-up words most seldom. Infinity for
 * an empty text, which is sure of nothing.
 */
export function uncertaintyOf({ tokens, entropy }: Pick<Reading, "tokens" | "entropy">, eos: number | null): number {
  const own = entropy.subarray(0, cutAtEnd(tokens, eos).length);
  return own.length > 0 ? own.reduce((sum, nats) => sum + nats, 0) / own.length : Number.POSITIVE_INFINITY;
}

/** Which of several texts the decoder is surest of: the place of the least `uncertaintyOf`, of equal ones the first. */
export function surestOf(readings: readonly Pick<Reading, "tokens" | "entropy">[], eos: number | null): number {
  const all = readings.map((reading) => uncertaintyOf(reading, eos));
  return all.indexOf(Math.min(...all));
}
