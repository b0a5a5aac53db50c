/**
 * The sampler (spec section 3): follows the network's velocity from noise at t = 0 to text at t = 1. All arithmetic is
 * that of 32-bit floats, operation by operation, so that a seed means the same run here as in `elf sample`.
 */
import { CancelledError } from "./errors";
import { runKeys } from "./keys";
import type { Network } from "./network";
import { foldIn, normal } from "./random";
import { type LogitNormal, scheduleTimes } from "./schedule";
import type { SamplerSettings } from "./settings";

/** What a model's flow was trained with. */
export interface FlowConstants extends LogitNormal {
  /** s, the standard deviation of the noise at t = 0. */
  readonly noiseScale: number;
  /** Least divisor 1 − t of the velocity. */
  readonly tEps: number;
}

/** A run after one of its steps. The arrays are never written again. */
export interface FlowState {
  /** 0 is the start, N the end. */
  readonly step: number;
  /** 0 … 1. */
  readonly t: number;
  /** The state z_t; (length, latentSize) row-major. */
  readonly z: Float32Array;
  /** The prediction x̂ that led here, of z's shape; zeros at the start. */
  readonly prediction: Float32Array;
}

const f32 = Math.fround;

/**
 * Runs the flow: yields the start and then the state after each of the N steps, N + 1 states in all. One network pass
 * per step. `settings` must have been checked (`checkSettings`).
 * @throws {CancelledError} `signal` was aborted; looked at before every pass.
 */
export async function* flow(
  network: Network,
  settings: SamplerSettings,
  constants: FlowConstants,
  signal?: AbortSignal,
): AsyncGenerator<FlowState, void> {
  const { steps, method, gamma, selfCondScale, seed, rng, length } = settings;
  const count = length * network.latentSize;
  const noiseKey = runKeys(seed, rng).noise;
  const times = scheduleTimes(settings, constants);

  let z = scaled(normal(noiseKey, count, rng), constants.noiseScale);
  let prediction: Float32Array = new Float32Array(count);
  yield { step: 0, t: 0, z, prediction };

  for (let k = 0; k < steps; k++) {
    let t = times[k] as number;
    const next = times[k + 1] as number;
    // The last step never adds noise: nothing after it could take it away again.
    if (method === "sde" && k < steps - 1) {
      const noise = scaled(normal(foldIn(noiseKey, k), count, rng), constants.noiseScale);
      const kept = keptShare(gamma, t, next);
      z = stepBack(z, noise, kept);
      t = f32(kept * t);
    }
    if (signal?.aborted) throw new CancelledError();
    prediction = await network.denoise({ z, previous: prediction, t, selfCondScale });
    z = eulerStep(z, prediction, t, next, constants.tEps);
    yield { step: k + 1, t: next, z, prediction };
  }
}

/** α = clip(1 − γ·h, 0, 1), the share of the state that an SDE step from `t` to `next` keeps. */
export function keptShare(gamma: number, t: number, next: number): number {
  const h = f32(next - t);
  return Math.min(1, Math.max(0, f32(1 - f32(f32(gamma) * h))));
}

/** The SDE's way back in time from t to α·t: z_b = α·z + (1 − α)·noise. With α = 1 it is z itself, bit for bit. */
export function stepBack(z: Float32Array, noise: Float32Array, kept: number): Float32Array {
  const added = f32(1 - kept);
  return z.map((value, i) => f32(f32(kept * value) + f32(added * (noise[i] as number))));
}

/** One Euler step: z + (next − t)·v along v = (x̂ − z) / max(1 − t, tEps). */
export function eulerStep(
  z: Float32Array,
  prediction: Float32Array,
  t: number,
  next: number,
  tEps: number,
): Float32Array {
  const h = f32(next - t);
  const divisor = Math.max(f32(1 - t), f32(tEps));
  return z.map((value, i) => {
    const velocity = f32(f32((prediction[i] as number) - value) / divisor);
    return f32(value + f32(h * velocity));
  });
}

function scaled(values: Float32Array, factor: number): Float32Array {
  return values.map((value) => f32(factor) * value);
}
