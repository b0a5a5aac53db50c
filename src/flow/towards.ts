/** Start noise between that of two seeds. */
import { SettingsError } from "./errors";
import { runNoise } from "./noise";
import { isWithin, type SamplerSettings, SETTING_LIMITS } from "./settings";

/** The way from the start noise of a run's own seed to that of another. */
export interface Towards {
  /** The other seed; integer, 0 … 2³² − 1. */
  readonly seed: number;
  /** How far towards it: 0 is the noise of the run's own seed, 1 that of the other. */
  readonly weight: number;
}

export const WEIGHT_LIMITS = { least: 0, greatest: 1, integer: false } as const;

/**
 * s·ε₀, where a run starts, `count` numbers (B · L · D): that of its seed, or on the way to another seed's. The schedule,
 * and the noise that the SDE mixes in later, are those of its own seed whatever the way.
 */
export function startNoise(
  settings: Pick<SamplerSettings, "seed" | "rng">,
  towards: Towards | undefined,
  noiseScale: number,
  count: number,
): Float32Array {
  const own = runNoise(settings, noiseScale, count).start();
  if (!towards) return own;
  return slerp(own, runNoise({ ...settings, seed: towards.seed }, noiseScale, count).start(), towards.weight);
}

/**
 * Spherical interpolation (Shoemake 1985): sin((1 − w)Ω)/sin Ω · a + sin(wΩ)/sin Ω · b, where Ω is the angle between them.
 * On a straight line the middle of two noises is shorter than either, and unlike any that the network has seen.
 */
export function slerp(a: Float32Array, b: Float32Array, weight: number): Float32Array {
  let [ab, aa, bb] = [0, 0, 0];
  for (const [i, x] of a.entries()) {
    const y = b[i] as number;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  const angle = Math.acos(Math.min(1, Math.max(-1, ab / Math.sqrt(aa * bb))));
  const size = Math.sin(angle);
  // Of two that point the same way, or have no length, every one between is either.
  if (!(size > 0)) return weight < 1 ? a : b;
  const [ofA, ofB] = [Math.fround(Math.sin((1 - weight) * angle) / size), Math.fround(Math.sin(weight * angle) / size)];
  return a.map((x, i) => Math.fround(Math.fround(ofA * x) + Math.fround(ofB * (b[i] as number))));
}

/** @throws {SettingsError} no such seed, or a weight outside 0 … 1. */
export function checkTowards({ seed, weight }: Towards): void {
  const { least, greatest } = SETTING_LIMITS.seed;
  if (!isWithin(seed, SETTING_LIMITS.seed)) {
    throw new SettingsError(
      `The seed to go towards is ${String(seed)}.`,
      `Give an integer from ${least} to ${greatest}.`,
    );
  }
  if (!isWithin(weight, WEIGHT_LIMITS)) {
    throw new SettingsError(`The weight of the other seed is ${String(weight)}.`, "Give a number from 0 to 1.");
  }
}
