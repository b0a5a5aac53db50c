/**
 * Holding tokens along the path, and changing them on the way. Unlike a prompt's embeddings, which the network was
 * trained to see clean, a clamped position is as noisy as its neighbours: z = t·x + (1 − t)·s·ε₀ with the noise the run
 * itself started from, as RePaint (Lugmayr et al. 2022) does for images.
 */
import { ConditionError } from "./errors";
import { runNoise } from "./noise";
import type { SamplerSettings } from "./settings";
import type { Place } from "./solvers";

/** One position of one sample, and the latent it is to hold. */
export interface Fixed {
  /** Sample of the batch, from 0. */
  readonly row: number;
  /** 0 … L − 1 */
  readonly position: number;
  /** Normalised embedding of the token, as the encoder gives it; (D). */
  readonly latent: Float32Array;
}

/** Positions held along a run. */
export interface Clamp {
  readonly fixed: readonly Fixed[];
  /** s·ε₀, the noise at t = 0 of the run whose path is held to; (B, L, D). */
  readonly noise: Float32Array;
  /** L and D. */
  readonly length: number;
  readonly latentSize: number;
}

const f32 = Math.fround;

/**
 * Holds `fixed` along a run of `batch` samples with these settings, which started from s·ε₀ of its seed unless from another
 * `noise`. A fork that changes the seed keeps its parent's
 * clamp, so that the path stays the one that led to the fork.
 * @throws {ConditionError} a position outside the run, held twice, or a latent of another width.
 */
export function makeClamp(
  fixed: readonly Fixed[],
  settings: Pick<SamplerSettings, "seed" | "rng" | "length">,
  {
    noiseScale,
    latentSize,
    batch = 1,
    noise = runNoise(settings, noiseScale, batch * settings.length * latentSize).start(),
  }: { noiseScale: number; latentSize: number; batch?: number; noise?: Float32Array },
): Clamp {
  const { length } = settings;
  const seen = new Set<number>();
  for (const { row, position, latent } of fixed) {
    const fits = isIndex(row, batch) && isIndex(position, length) && latent.length === latentSize;
    if (!fits || seen.has(row * length + position)) {
      throw new ConditionError(
        `Position ${position} of sample ${row} cannot be held.`,
        `Hold each position at most once, from 0 to ${length - 1}, to a latent of ${latentSize} numbers.`,
      );
    }
    seen.add(row * length + position);
  }
  return { fixed, noise, length, latentSize };
}

/** A state of time t with every fixed position on its path; `z` itself where nothing is fixed. */
export function clampTo(z: Float32Array, clamp: Clamp | undefined, t: number): Float32Array {
  if (!clamp || clamp.fixed.length === 0) return z;
  const { fixed, noise, length, latentSize } = clamp;
  const clamped = new Float32Array(z);
  for (const { row, position, latent } of fixed) {
    const at = (row * length + position) * latentSize;
    for (const [i, x] of latent.entries()) {
      clamped[at + i] = f32(f32(t * x) + f32(f32(1 - t) * (noise[at + i] as number)));
    }
  }
  return clamped;
}

/**
 * A state whose positions in `clamp` are moved to other tokens once; where the run goes from there is open. The
 * last prediction is told too, or the network would be fed the old token again; the one before it is forgotten.
 */
export function replaceTokens<State extends Place>(state: State, clamp: Clamp): State {
  const prediction = new Float32Array(state.prediction);
  for (const { row, position, latent } of clamp.fixed) {
    prediction.set(latent, (row * clamp.length + position) * clamp.latentSize);
  }
  return { ...state, z: clampTo(state.z, clamp, state.t), prediction, older: undefined };
}

/**
 * Takes a state back to the earlier time `t`, 0 … the state's: z′ = (t′/t)·z + √(((1−t′)s)² − ((t′/t)(1−t)s)²)·ε, which
 * has the mean and the noise of the path at t′. The noise is drawn from the seed, other than that of any step.
 * @throws {ConditionError} `t` is not an earlier time.
 */
export function renoise<State extends Place & { readonly step: number }>(
  state: State,
  t: number,
  settings: Pick<SamplerSettings, "seed" | "rng">,
  noiseScale: number,
): State {
  if (!(t >= 0 && t < state.t)) {
    throw new ConditionError(
      `A state of time ${state.t} cannot be taken back to ${t}.`,
      "Give an earlier time, from 0 up.",
    );
  }
  const earlier = f32(t);
  const kept = f32(earlier / state.t);
  // In units of s, which the noise already has.
  const added = f32(Math.sqrt((1 - earlier) ** 2 - (kept * (1 - state.t)) ** 2));
  const noise = runNoise(settings, noiseScale, state.z.length).again(state.step);
  const z = state.z.map((value, i) => f32(f32(kept * value) + f32(added * (noise[i] as number))));
  return { ...state, t: earlier, z, older: undefined };
}

function isIndex(value: number, count: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < count;
}
