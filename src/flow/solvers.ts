/**
 * One step of the flow from t to t′: Euler's, the SDE's, and one that looks back for the ODE (spec section 3). The
 * arithmetic is that of 32-bit floats, operation by operation, as in `elf.sampling.sampler`.
 */
import { gammaAt } from "./gammaCurve";
import type { Predict } from "./guidance";
import type { SamplerSettings, SolverName } from "./settings";

/** Where a run stands between two steps. */
export interface Place {
  /** Time of the state, 0 … 1. */
  readonly t: number;
  /** The state z_t; (B, L, D). */
  readonly z: Float32Array;
  /** The prediction x̂ that led here, of z's shape; at the start zeros, but for the condition where x̂ starts with it. */
  readonly prediction: Float32Array;
  /** The time at which x̂ was predicted; 0 at the start. */
  readonly predictedAt: number;
  /** The prediction before that one, for a solver that looks so far back. */
  readonly older?: Past | undefined;
}

/** An earlier prediction x̂ and its time. */
export type Past = Pick<Place, "prediction" | "predictedAt">;

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

/** Euler's step with predictions carried on in a straight line from earlier ones. One prediction. */
const multistep: Solver = async ({ t, z, prediction: last, predictedAt, older }, next, { predict, restore, tEps }) => {
  // On the path z = t·x + (1 − t)·s·ε the exponential integrator of DPM-Solver++ (Lu et al. 2022) is Euler's step, and its
  // second order, 2M, is that step towards an x̂ carried on to the middle of the step. The network's own input lags as well:
  // its last prediction is of the time before, so it is carried on to t first.
  const before = f32(t - predictedAt);
  const previous = older
    ? carriedOn(last, older.prediction, ratio(before, f32(predictedAt - older.predictedAt)))
    : last;
  const prediction = await predict(z, previous, t);
  // At t′ = 1 the step leads to its aim itself, which therefore is the prediction as it is.
  const aim = next < 1 ? carriedOn(prediction, last, f32(0.5 * ratio(f32(next - t), before))) : prediction;
  return {
    t: next,
    z: restore(eulerStep(z, aim, t, next, tEps), next),
    prediction,
    predictedAt: t,
    // At the start x̂ is no prediction, only zeros.
    older: before > 0 ? { prediction: last, predictedAt } : undefined,
  };
};

export const SOLVERS = { euler, multistep } as const satisfies Record<SolverName, Solver>;

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

/** Whether step `k` mixes noise in first. The last never does: nothing after it could take it away again. */
export function addsNoise({ method, steps }: Pick<SamplerSettings, "method" | "steps">, k: number): boolean {
  return method === "sde" && k < steps - 1;
}

/**
 * The times at which the steps from `first` on ask the network, one each. `times` are those of the schedule, `t` is that
 * of the state which step `first` begins with.
 */
export function askedTimes(
  settings: Pick<SamplerSettings, "method" | "steps" | "gamma" | "gammaCurve">,
  times: Float32Array,
  first: number,
  t: number,
): number[] {
  return Array.from({ length: settings.steps - first }, (_, i) => {
    const k = first + i;
    const from = i === 0 ? t : (times[k] as number);
    return addsNoise(settings, k) ? f32(keptShare(gammaAt(settings, from), from, times[k + 1] as number) * from) : from;
  });
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

/** `now` and `share` of its change since `before`. */
function carriedOn(now: Float32Array, before: Float32Array, share: number): Float32Array {
  if (share === 0) return now;
  return now.map((x, i) => f32(x + f32(share * f32(x - (before[i] as number)))));
}

/** Length of a step over that of the one before: at most 2, as drawn times may lie close; 0 after one of none. */
export function ratio(span: number, before: number): number {
  return before > 0 ? Math.min(f32(span / before), 2) : 0;
}
