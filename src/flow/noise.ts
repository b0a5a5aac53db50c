import { runKeys } from "./keys";
import { foldIn, type Key, normal } from "./random";
import type { SamplerSettings } from "./settings";

/** All noise of one run, each draw a (B, L, D) array with the standard deviation s of its flow. */
export interface RunNoise {
  /** ε₀, where the run starts. */
  start(): Float32Array;
  /** What the SDE mixes in at step k = 0 … N − 2. */
  atStep(k: number): Float32Array;
  /** For a state of step k that goes back to an earlier time; not that of any SDE step. */
  again(k: number): Float32Array;
}

/** Noise for `count` = B · L · D numbers; the rows of a batch are drawn together. */
export function runNoise(
  { seed, rng }: Pick<SamplerSettings, "seed" | "rng">,
  noiseScale: number,
  count: number,
): RunNoise {
  const { noise } = runKeys(seed, rng);
  const scale = Math.fround(noiseScale);
  const draw = (key: Key) => normal(key, count, rng).map((value) => scale * value);
  return {
    start: () => draw(noise),
    atStep: (k) => draw(foldIn(noise, k)),
    again: (k) => draw(foldIn(noise, AGAIN + k)),
  };
}

/** Far beyond the number of any step. */
const AGAIN = 2 ** 31;
