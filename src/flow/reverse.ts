/** The ODE backwards: from a text's latents to the noise that it would have come from, and forward again. */
import { hold } from "./condition";
import { CancelledError } from "./errors";
import { guidedPredictor } from "./guidance";
import type { Network } from "./network";
import { type FlowConstants, type FlowOptions, type FlowState, followFlow, startAt } from "./sampler";
import { scheduleTimes } from "./schedule";
import type { SamplerSettings } from "./settings";
import { eulerStep } from "./solvers";

/** A text taken back to noise by the ODE, and forward again. */
export interface Reversal {
  /** The noise found, as the start of a run (t = 0, step 0). */
  readonly start: FlowState;
  /** Where the ODE leads from there. */
  readonly end: FlowState;
  /** ‖end − clean‖ / ‖clean‖ over all numbers: 0 where the text comes back as it was. */
  readonly error: number;
}

/**
 * The method is the ODE whatever a run used. The schedule is `quantile` where none is given: evenly spaced times magnify
 * the way back near t = 1, so that the noise found is many times too large.
 */
export type ReverseSettings = Omit<SamplerSettings, "method" | "schedule"> &
  Partial<Pick<SamplerSettings, "method" | "schedule">>;

/** What the way back heeds. */
export interface BackOptions extends FlowOptions {
  /** Waited for before each pass: lets in the message that aborts the signal, where a pass itself lets none in. */
  readonly pause?: (() => Promise<void>) | undefined;
}

/**
 * Follows the ODE from clean latents (B, L, D) back to t = 0 along the settings' schedule, and forward again by the
 * settings' solver. N passes forward, N − 1 back.
 * @throws {CancelledError}
 */
export async function reverse(
  network: Network,
  clean: Float32Array,
  settings: ReverseSettings,
  constants: FlowConstants,
  options: FlowOptions = {},
): Promise<Reversal> {
  const { batch = 1, condition, signal } = options;
  const start = startAt(await noiseOf(network, clean, settings, constants, options), constants, { batch, condition });
  let end = start;
  // A clamp holds to another run's noise.
  const ode = odeOf(settings);
  for await (const state of followFlow(network, start, 0, ode, constants, { condition, signal })) end = state;
  return { start, end, error: relativeDistance(end.z, clean) };
}

/**
 * The way back of `reverse` alone: the noise (B, L, D) that the ODE would have made these clean latents (B, L, D) from.
 * N − 1 passes of the settings' N steps.
 * @throws {CancelledError}
 */
export async function noiseOf(
  network: Network,
  clean: Float32Array,
  settings: ReverseSettings,
  constants: FlowConstants,
  { batch = 1, condition, signal, pause }: BackOptions = {},
): Promise<Float32Array> {
  const ode = odeOf(settings);
  const times = scheduleTimes(ode, constants);
  const predict = guidedPredictor(network, ode, batch, condition, constants.selfCondStart);

  // Back by Euler with the velocity of the later time, so that both ways agree as steps get small. The last step has no way
  // back, for it lands on the prediction from wherever it starts; the clean latents are taken for the state before it, which
  // it leaves alone as far as the network knows its own text.
  let z = hold(clean, condition);
  let prediction = z;
  for (let k = ode.steps - 1; k > 0; k--) {
    await pause?.();
    if (signal?.aborted) throw new CancelledError();
    const t = times[k] as number;
    prediction = await predict(z, prediction, t);
    z = hold(eulerStep(z, prediction, t, times[k - 1] as number, constants.tEps), condition);
  }
  return z;
}

function odeOf(settings: ReverseSettings): SamplerSettings {
  return { schedule: "quantile", ...settings, method: "ode" };
}

function relativeDistance(a: Float32Array, b: Float32Array): number {
  let difference = 0;
  let size = 0;
  for (const [i, value] of b.entries()) {
    difference += ((a[i] as number) - value) ** 2;
    size += value ** 2;
  }
  return size === 0 ? Math.sqrt(difference) : Math.sqrt(difference / size);
}
