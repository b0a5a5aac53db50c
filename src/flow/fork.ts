/** Going on from the middle of a run, by the same settings or by others. */
import { SettingsError } from "./errors";
import type { Network } from "./network";
import { type FlowConstants, type FlowOptions, type FlowState, followFlow } from "./sampler";
import { scheduleTimes } from "./schedule";
import type { SamplerSettings } from "./settings";

/**
 * Continues from a state of another run, or one that was edited, to t = 1. The times are those of the new settings that
 * lie after the state's, and a step's number, which its noise is drawn by, is its place among all of them. Yields the
 * state itself under its number there, then the state after each step. With the settings of the run that it comes from
 * it repeats that run bit for bit.
 * @throws {SettingsError} the settings have another length than the state.
 * @throws {CancelledError}
 */
export async function* fork(
  network: Network,
  from: FlowState,
  settings: SamplerSettings,
  constants: FlowConstants,
  options: FlowOptions = {},
): AsyncGenerator<FlowState, void> {
  const length = from.z.length / from.batch / network.latentSize;
  if (settings.length !== length) {
    throw new SettingsError(
      `length is ${settings.length}, but the run to go on with has ${length} positions.`,
      "Leave the length as it is.",
    );
  }
  const step = stepAt(scheduleTimes(settings, constants), from);
  const here = { ...from, step };
  yield here;
  yield* followFlow(network, here, step, settings, constants, options);
}

/** The step of a schedule that goes on from a state: the one that starts there, or else passes it; N at the end. */
export function stepAt(times: Float32Array, { step, t }: Pick<FlowState, "step" | "t">): number {
  // Two of the drawn times may be equal: a state whose place is known keeps it.
  if (times[step] === t) return step;
  const next = times.findIndex((time) => time > t);
  return next < 0 ? times.length - 1 : next - 1;
}
