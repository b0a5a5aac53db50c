/** Whether what is counted again and again grows. */

export interface Slope {
  readonly mean: number;
  /** From one round to the next. */
  readonly perRound: number;
  /** 95 % confidence interval of `perRound`. */
  readonly interval: readonly [low: number, high: number];
}

/** Least squares over the rounds 0, 1, …; the interval by Student's t. @throws {RangeError} fewer than three counts. */
export function slopeOf(counts: readonly number[]): Slope {
  const n = counts.length;
  if (n < 3) throw new RangeError(`A slope takes three counts, not ${n}.`);
  const middle = (n - 1) / 2;
  const mean = counts.reduce((sum, count) => sum + count, 0) / n;
  let across = 0;
  let along = 0;
  for (const [round, count] of counts.entries()) {
    along += (round - middle) * (count - mean);
    across += (round - middle) ** 2;
  }
  const perRound = along / across;
  const rest = counts.reduce((sum, count, round) => sum + (count - mean - perRound * (round - middle)) ** 2, 0);
  const reach = quantileOfT(n - 2) * Math.sqrt(rest / (n - 2) / across);
  return { mean, perRound, interval: [perRound - reach, perRound + reach] };
}

/** Whether it has grown over these rounds by more than a share of its mean, beyond what chance explains. */
export function grows({ mean, interval: [low] }: Slope, rounds: number, share: number): boolean {
  return low > 0 && low * rounds > share * Math.abs(mean);
}

/** The 97.5 % quantile of Student's t with so many degrees of freedom, to a hundredth (Hill 1970, the first terms). */
function quantileOfT(degrees: number): number {
  if (degrees < TABLE.length) return TABLE[degrees] as number;
  const z = 1.959964;
  return z + (z ** 3 + z) / (4 * degrees) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2);
}

/** From 0 degrees of freedom on, where the series is too short. */
const TABLE = [Number.NaN, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306];
