/**
 * The sampler (spec section 3): follows the network's velocity from noise at t = 0 to text at t = 1. All arithmetic is
 * that of 32-bit floats, operation by operation, so that a seed means the same run here as in `elf sample`.
 */
import { type Clamp, clampTo } from "./clamp";
import { type Condition, hold, noPrediction, type SelfCondStart } from "./condition";
import { CancelledError } from "./errors";
import { gammaAt } from "./gammaCurve";
import { guidedPredictor } from "./guidance";
import type { Network } from "./network";
import { runNoise } from "./noise";
import { type LogitNormal, scheduleTimes } from "./schedule";
import type { SamplerSettings } from "./settings";
import { addsNoise, askedTimes, type Place, SOLVERS, type StepParts, sdeStep } from "./solvers";

/** What a model's flow was trained with. */
export interface FlowConstants extends LogitNormal {
  /** s, the standard deviation of the noise at t = 0. */
  readonly noiseScale: number;
  /** Least divisor 1 − t of the velocity. */
  readonly tEps: number;
  /** What x̂ starts with at the places of a prompt. */
  readonly selfCondStart: SelfCondStart;
}

/** A run after one of its steps. The arrays are never written again. */
export interface FlowState extends Place {
  /** 0 is the start, N the end. */
  readonly step: number;
  /** B, the number of samples in z and x̂. */
  readonly batch: number;
}

export interface FlowOptions {
  /** B, samples written at once; 1 unless given. They share one schedule, and their noise is drawn as one array. */
  readonly batch?: number;
  /** What the front of each sample holds. */
  readonly condition?: Condition | undefined;
  /** Positions held to given latents. */
  readonly clamp?: Clamp | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs the flow: yields the start and then the state after each of the N steps, N + 1 states in all. `settings` and
 * prompts must have been checked (`checkSettings`, `checkSources`).
 * @throws {CancelledError} the signal was aborted; looked at before every step.
 */
export async function* flow(
  network: Network,
  settings: SamplerSettings,
  constants: FlowConstants,
  options: FlowOptions = {},
): AsyncGenerator<FlowState, void> {
  const count = (options.batch ?? 1) * settings.length * network.latentSize;
  const start = startAt(runNoise(settings, constants.noiseScale, count).start(), constants, options);
  yield start;
  yield* followFlow(network, start, 0, settings, constants, options);
}

/** The start of a run at the noise s·ε₀, (B, L, D): step 0, at which nothing has been predicted yet. */
export function startAt(
  noise: Float32Array,
  { selfCondStart }: Pick<FlowConstants, "selfCondStart">,
  { batch = 1, condition, clamp }: FlowOptions = {},
): FlowState {
  const z = clampTo(hold(noise, condition), clamp, 0);
  const prediction = noPrediction(noise.length, condition, selfCondStart);
  return { step: 0, batch, t: 0, z, prediction, predictedAt: 0 };
}

/**
 * The rest of a run: from the state `from`, wherever it comes from, by step `first` of the schedule and those after it.
 * Yields the state after each of them. `options.batch` is not heeded: the state has its own.
 * @throws {CancelledError} as `flow` does.
 */
export async function* followFlow(
  network: Network,
  from: FlowState,
  first: number,
  settings: SamplerSettings,
  constants: FlowConstants,
  { condition, clamp, signal }: FlowOptions = {},
): AsyncGenerator<FlowState, void> {
  const { steps, solver, selfCondScale } = settings;
  const { batch } = from;
  const times = scheduleTimes(settings, constants);
  const noise = runNoise(settings, constants.noiseScale, from.z.length);
  const parts: StepParts = {
    predict: guidedPredictor(network, settings, batch, condition, constants.selfCondStart),
    restore: (z, t) => clampTo(hold(z, condition), clamp, t),
    tEps: constants.tEps,
  };
  await network.prepare?.(askedTimes(settings, times, first, from.t), selfCondScale);
  let place: Place = from;
  for (let k = first; k < steps; k++) {
    if (signal?.aborted) throw new CancelledError();
    const next = times[k + 1] as number;
    place = addsNoise(settings, k)
      ? await sdeStep(place, next, gammaAt(settings, place.t), noise.atStep(k), parts)
      : await SOLVERS[solver](place, next, parts);
    yield { step: k + 1, batch, ...place };
  }
}
