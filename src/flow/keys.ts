import { foldIn, type Key, keyOf, split } from "./random";
import type { RngLayout } from "./settings";

/** The keys that all randomness of one run comes from. */
export interface RunKeys {
  /** Draws the start noise; folded with a step's number it draws that step's fresh noise. */
  readonly noise: Key;
  /** Draws the logit-normal schedule. */
  readonly times: Key;
}

/**
 * Derives a run's keys from its seed exactly as the official sampler does for the first batch of its first sampling
 * configuration on one device (spec section 3, export/FORMAT.md).
 */
export function runKeys(seed: number, layout: RngLayout): RunKeys {
  const [, sample] = pair(keyOf(seed), layout);
  const [noise, times] = pair(foldIn(sample, 0), layout);
  return { noise: first(noise, layout), times: first(times, layout) };
}

function pair(key: Key, layout: RngLayout): readonly [Key, Key] {
  return split(key, 2, layout) as [Key, Key];
}

/** The share of the first of one device. */
function first(key: Key, layout: RngLayout): Key {
  return split(key, 1, layout)[0] as Key;
}
