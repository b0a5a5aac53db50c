/**
 * One step of the flow from t to t′: Euler, the SDE's, and two of higher order for the ODE (spec section 3). The
 * arithmetic is that of 32-bit floats, operation by operation, as in `elf.sampling.solvers`.
 */
import type { Predict } from "./guidance";
import type { SolverName } from "./settings";

/** Where a run stands between two steps. */
export interface Place {
  /** Time of the state, 0 … 1. */
  readonly t: number;
  /** The state z_t; (B, L, D). */
  readonly z: Float32Array;
  /** The prediction x̂ that led here, of z's shape; zeros at the start but for the condition. */
  readonly prediction: Float32Array;
  /** The time at which x̂ was predicted; 0 at the start. */
  readonly predictedAt: number;
}

/** What a step does besides arithmetic. */
export interface StepParts {
  readonly predict: Predict;
  /** Restores what the run holds fixed in a state of time t. */
  readonly restore: (z: Float32Array, t: number) => Float32Array;
  /** Least divisor 1 − t of the velocity. */
  readonly tEps: number;
}

export type Solver = (from: Place, next: number, parts: StepParts) => Promise<Place>;

const f32 = Math.fround;

/** z + (t′ − t)·v with the velocity at t. One prediction. */
const euler: Solver = async ({ t, z, prediction }, next, { predict, restore, tEps }) => {
  const predicted = await predict(z, prediction, t);
  return { t: next, z: restore(eulerStep(z, predicted, t, next, tEps), next), prediction: predicted, predictedAt: t };
};

/**
 * Heun's predictor-corrector: the mean of the velocities at t and, after an Euler step, at t′. Two predictions. At
 * t′ = 1 the velocity has no finite limit, so there it is Euler's step.
 */
const heun: Solver = async (from, next, parts) => {
  const there = await euler(from, next, parts);
  if (next >= 1) return there;
  const { t, z } = from;
  const prediction = await parts.predict(there.z, there.prediction, next);
  const first = velocity(z, there.prediction, t, parts.tEps);
  const second = velocity(there.z, prediction, next, parts.tEps);
  const h = f32(next - t);
  const moved = z.map((value, i) => {
    const mean = f32(f32((first[i] as number) + (second[i] as number)) / 2);
    return f32(value + f32(h * mean));
  });
  return { t: next, z: parts.restore(moved, next), prediction, predictedAt: next };
};

/**
 * DPM-Solver++(2M) (Lu et al. 2022) for z = t·x + (1 − t)·s·ε. On this straight path the exact integral of the ODE for a
 * constant x̂ is Euler's own step; for second order x̂ is carried on to the middle of the step, linearly in
 * λ = log(t / ((1 − t)·s)), from the prediction before. One prediction.
 */
const multistep: Solver = async ({ t, z, prediction: earlier, predictedAt }, next, { predict, restore, tEps }) => {
  const prediction = await predict(z, earlier, t);
  const ratio = carriedShare(predictedAt, t, next);
  const aim =
    ratio === 0 ? prediction : prediction.map((x, i) => f32(x + f32(ratio * f32(x - (earlier[i] as number)))));
  return { t: next, z: restore(eulerStep(z, aim, t, next, tEps), next), prediction, predictedAt: t };
};

export const SOLVERS = { euler, heun, multistep } as const satisfies Record<SolverName, Solver>;

/** One step of the SDE: back in time by mixing in `noise` (of deviation s), then Euler from there. */
export async function sdeStep(
  from: Place,
  next: number,
  gamma: number,
  noise: Float32Array,
  parts: StepParts,
): Promise<Place> {
  const kept = keptShare(gamma, from.t, next);
  const t = f32(kept * from.t);
  return euler({ ...from, t, z: parts.restore(stepBack(from.z, noise, kept), t) }, next, parts);
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

/** One Euler step: z + (next − t)·v. */
export function eulerStep(
  z: Float32Array,
  prediction: Float32Array,
  t: number,
  next: number,
  tEps: number,
): Float32Array {
  const h = f32(next - t);
  const speed = velocity(z, prediction, t, tEps);
  return z.map((value, i) => f32(value + f32(h * (speed[i] as number))));
}

/** v = (x̂ − z) / max(1 − t, tEps). */
function velocity(z: Float32Array, prediction: Float32Array, t: number, tEps: number): Float32Array {
  const divisor = Math.max(f32(1 - t), f32(tEps));
  return z.map((value, i) => f32(f32((prediction[i] as number) - value) / divisor));
}

/** (λ′ − λ) / (2·(λ − λ_earlier)), how far x̂ is carried on; 0 where a λ is infinite or there was no step before. */
export function carriedShare(earlier: number, t: number, next: number): number {
  if (!(earlier > 0 && earlier < t && next < 1)) return 0;
  const [before, now, after] = [earlier, t, next].map((time) => Math.log(time / (1 - time))) as [
    number,
    number,
    number,
  ];
  return f32((after - now) / (2 * (now - before)));
}
