/**
 * A run as its dispatches: everything `flow/sampler.ts` decides from settings alone, worked out before the first pass and
 * uploaded once, so that the loop itself only points at a number.
 */
import { gammaAt } from "../../flow/gammaCurve";
import { runKeys } from "../../flow/keys";
import { foldIn, type Key } from "../../flow/random";
import type { FlowConstants } from "../../flow/sampler";
import { scheduleTimes } from "../../flow/schedule";
import type { SamplerSettings } from "../../flow/settings";
import { addsNoise, keptShare, ratio } from "../../flow/solvers";
import { ACTIONS } from "./step-wgsl";

/** How many passes of the network a prediction takes; all of them run as one batch. */
export interface Passes {
  /** V: 1, or 2 where CFG also looks without the prompt. */
  readonly views: 1 | 2;
  /** P: V, or 2V where the network has no input for the self-conditioning guidance. */
  readonly passes: 1 | 2 | 4;
}

/** The passes of a run; `prompted` is whether it has a condition. */
export function passesOf(
  { cfgScale, selfCondScale }: Pick<SamplerSettings, "cfgScale" | "selfCondScale">,
  prompted: boolean,
  takesSelfCondScale: boolean,
): Passes {
  const views = prompted && cfgScale !== 1 ? 2 : 1;
  const twice = !takesSelfCondScale && selfCondScale !== 1;
  return { views, passes: (twice ? 2 * views : views) as Passes["passes"] };
}

/** One dispatch of the step kernel. */
export interface Dispatch {
  /** The parameters, as `Step` in `step-wgsl.ts` lays them out. */
  readonly bytes: ArrayBuffer;
  /** The step it completes. */
  readonly completes: number;
  /** Time of the state it completes. */
  readonly t: number;
  /** Time at which the network is asked next: t, or before it where noise is mixed in. */
  readonly asksAt: number;
  /** Time at which that state's x̂ was predicted. */
  readonly predictedAt: number;
  /** Time of the x̂ before, where the solver looks so far back. */
  readonly olderAt: number | undefined;
}

/** Where a run begins: at noise, or at a state uploaded after `step` of its steps. */
export interface Entry {
  readonly step: number;
  readonly t: number;
  readonly predictedAt: number;
  readonly older?: { readonly predictedAt: number } | undefined;
}

/** Size of a run, as the kernel needs it. */
export interface RunShape extends Passes {
  /** B · L · D */
  readonly count: number;
  /** D */
  readonly latentSize: number;
}

const f32 = Math.fround;

/** The dispatches of a run in their order: the first sets the start up, each of the others comes after one prediction. */
export function planRun(
  settings: SamplerSettings,
  constants: FlowConstants,
  shape: RunShape,
  entry: Entry | undefined,
): Dispatch[] {
  const { steps, method, solver, seed, rng } = settings;
  const times = scheduleTimes(settings, constants);
  const { noise } = runKeys(seed, rng);
  const looksBack = method === "ode" && solver === "multistep";

  /** What is left to say of a dispatch that reaches `t`, after which step `k` comes. */
  const leading = (k: number, t: number) => {
    if (!addsNoise(settings, k)) return { inputTime: t };
    const kept = keptShare(gammaAt(settings, t), t, times[k + 1] as number);
    return { mixes: 1, mixKey: foldIn(noise, k), kept, added: f32(1 - kept), inputTime: f32(kept * t) };
  };
  const dispatch = (place: Entry, numbers: Partial<StepNumbers>): Dispatch => {
    const { step: completes, t, predictedAt, older } = place;
    const next = leading(completes, t);
    const all = { ...shape, ...settings, ...constants, startKey: noise, t, ...numbers, ...next };
    return { bytes: packStep(all), completes, t, asksAt: next.inputTime, predictedAt, olderAt: older?.predictedAt };
  };

  let place: Entry = entry ?? { step: 0, t: 0, predictedAt: 0 };
  const { older } = place;
  const feed =
    looksBack && older ? ratio(f32(place.t - place.predictedAt), f32(place.predictedAt - older.predictedAt)) : 0;
  const dispatches = [dispatch(place, { action: entry ? ACTIONS.enter : ACTIONS.start, feed })];
  for (let k = place.step; k < steps; k++) {
    const next = times[k + 1] as number;
    // Where the network looked: the SDE has gone back in time.
    const t = leading(k, place.t).inputTime;
    const h = f32(next - t);
    const before = f32(t - place.predictedAt);
    const share = looksBack ? ratio(h, before) : 0;
    // At t′ = 1 the step leads to its aim itself.
    const carry = next < 1 ? f32(0.5 * share) : 0;
    const divisor = Math.max(f32(1 - t), f32(constants.tEps));
    const past = looksBack && before > 0 ? { predictedAt: place.predictedAt } : undefined;
    place = { step: k + 1, t: next, predictedAt: t, older: past };
    dispatches.push(dispatch(place, { action: ACTIONS.step, h, divisor, carry, feed: share }));
  }
  return dispatches;
}

/** The fields of `Step` in `step-wgsl.ts`. */
interface StepNumbers extends RunShape {
  readonly action: number;
  readonly rng: SamplerSettings["rng"];
  readonly mixes: number;
  readonly startKey: Key;
  readonly mixKey: Key;
  readonly h: number;
  readonly divisor: number;
  readonly carry: number;
  readonly t: number;
  readonly feed: number;
  readonly inputTime: number;
  readonly kept: number;
  readonly added: number;
  readonly cfgScale: number;
  readonly selfCondScale: number;
  readonly noiseScale: number;
  readonly selfCondStart: FlowConstants["selfCondStart"];
}

/** Bytes of one `Step`, which ends on a multiple of its alignment. */
export const STEP_BYTES = 96;

function packStep(numbers: Partial<StepNumbers> & RunShape): ArrayBuffer {
  const bytes = new ArrayBuffer(STEP_BYTES);
  const { startKey = [0, 0], mixKey = [0, 0], count, latentSize, passes, views } = numbers;
  const layout = numbers.rng === "partitionable" ? 1 : 0;
  new Uint32Array(bytes, 0, 8).set([numbers.action ?? 0, layout, numbers.mixes ?? 0, 0, ...startKey, ...mixKey]);
  // What is not used by the action is 1 where it divides, and 0 elsewhere.
  const { h = 0, divisor = 1, carry = 0, t = 0, feed = 0, inputTime = 0, kept = 1, added = 0 } = numbers;
  new Float32Array(bytes, 32, 8).set([h, divisor, carry, t, feed, inputTime, kept, added]);
  new Uint32Array(bytes, 64, 4).set([count, latentSize, passes, views]);
  const { cfgScale = 1, selfCondScale = 1, noiseScale = 1 } = numbers;
  new Float32Array(bytes, 80, 3).set([cfgScale, selfCondScale, noiseScale]);
  new Uint32Array(bytes, 92, 1).set([numbers.selfCondStart === "condition" ? 1 : 0]);
  return bytes;
}
