import { foldIn, type Key, keyOf, split } from "./random";
import type { RngLayout } from "./settings";

/** The keys that all randomness of one run comes from. */
export interface RunKeys {
  /** Draws the start noise; folded with a step's number it draws that step's fresh noise. */
  readonly noise: Key;
  /** Draws the logit-normal schedule. */
  readonly times: Key;
}

/** Which of a large job's batches the keys are for. Each number counts from 0. */
export interface BatchPlace {
  /** Position of the sampling configuration among those of the job. */
  readonly config?: number;
  /** Number of the batch over all processes: batch b of process p of P is b·P + p. */
  readonly batch?: number;
  /** Devices that share the batch, each with keys of its own. */
  readonly devices?: number;
}

/** Derives one batch's keys from the seed exactly as the official sampler does (spec section 3), a pair for each device. */
export function batchKeys(
  seed: number,
  layout: RngLayout,
  { config = 0, batch = 0, devices = 1 }: BatchPlace = {},
): RunKeys[] {
  let [key, sample] = pair(keyOf(seed), layout);
  for (let i = 0; i < config; i++) [key, sample] = pair(key, layout);
  const [noise, times] = pair(foldIn(sample, batch), layout);
  const timesKeys = split(times, devices, layout);
  return split(noise, devices, layout).map((own, device) => ({ noise: own, times: timesKeys[device] as Key }));
}

/** The keys of a job's first batch on one device, which are those of a run (export/FORMAT.md). */
export function runKeys(seed: number, layout: RngLayout): RunKeys {
  return batchKeys(seed, layout)[0] as RunKeys;
}

function pair(key: Key, layout: RngLayout): readonly [Key, Key] {
  return split(key, 2, layout) as [Key, Key];
}
