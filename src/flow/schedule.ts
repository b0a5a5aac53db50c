import { runKeys } from "./keys";
import { normal, normalAt } from "./random";
import type { SamplerSettings } from "./settings";

/** Where the logit-normal schedule puts its times: the mean and deviation before the sigmoid (paper's P_mean, P_std). */
export interface LogitNormal {
  readonly pMean: number;
  readonly pStd: number;
}

const f32 = Math.fround;

/**
 * The N + 1 times of a run, ascending from 0 to 1, as floats (spec section 3). `uniform` is evenly spaced;
 * `logit_normal` sorts N − 1 draws of sigmoid(N(pMean, pStd²)), which come from the run's seed; `quantile` has that
 * distribution's own quantiles at (k − ½)/(N − 1), k = 1 … N − 1, in place of the draws.
 */
export function scheduleTimes(
  settings: Pick<SamplerSettings, "steps" | "schedule" | "seed" | "rng">,
  { pMean, pStd }: LogitNormal,
): Float32Array {
  const { steps, schedule, seed, rng } = settings;
  if (schedule === "uniform") return Float32Array.from({ length: steps + 1 }, (_, k) => k / steps);
  const draws = schedule === "quantile" ? quantiles(steps - 1) : normal(runKeys(seed, rng).times, steps - 1, rng);
  const inner = draws.map((draw) => sigmoid(f32(f32(draw * f32(pStd)) + f32(pMean)))).sort();
  const times = new Float32Array(steps + 1);
  times.set(inner, 1);
  times[steps] = 1;
  return times;
}

/** The standard normal's quantiles at (k − ½)/count, k = 1 … count; ascending. */
function quantiles(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => normalAt(f32((2 * i + 1 - count) / count)));
}

function sigmoid(x: number): number {
  return f32(1 / f32(1 + f32(Math.exp(-x))));
}
