/** Looks at a run again: reads frames of it, and finds where its positions were, from what is remembered of its states. */
import { CancelledError, SettingsError } from "../flow/errors";
import { type LatentBasis, principalBasis } from "../flow/latentBasis";
import { joinPlaces, type PathPlaces, type Paths, placesOf, rowsOf } from "../flow/paths";
import { readByHalves } from "../flow/readByHalves";
import { roomOf } from "../flow/recipe";
import type { Frame } from "../flow/trajectory";
import type { Model } from "../runtime/load";
import type { ReadEvent, ReadRequest, RecallEvent } from "./api";
import { nextTask } from "./nextTask";
import type { RunPlan } from "./plan";
import { type StateEvent, type WriteOptions, Writer } from "./writeRun";

/**
 * Reads frames of a run, in their order, as fast as they are asked for (`EngineApi.read`). One whose signal is aborted ends
 * without the rest, and does not throw.
 * @throws {SettingsError} the run has no such frame; and every named error of the network.
 */
export async function* readRun(
  model: Model,
  plan: RunPlan,
  { steps, first }: Pick<ReadRequest, "steps" | "first">,
  options: Pick<WriteOptions, "memory" | "signal"> = {},
): AsyncGenerator<ReadEvent, void> {
  if (!Array.isArray(steps)) throw new SettingsError("The frames are no list.", "Give their numbers.");
  const wanted = [...new Set(steps)].sort((a, b) => a - b);
  const end = plan.path.times.length - 1;
  const wrong = wanted.find((step) => !(Number.isInteger(step) && step >= 0 && step <= end));
  if (wrong !== undefined) throw new SettingsError(`The run has no frame ${wrong}.`, `Ask for frames 0 to ${end}.`);
  try {
    if (options.signal?.aborted) return;
    const writer = new Writer(model, plan.source, { ...options, frames: "paced" });
    for await (const event of writer.states(plan, wanted)) {
      if (event.type === "recall") {
        yield event;
        continue;
      }
      for await (const frame of readings(event)) {
        if (first || !frame.awaits) yield { type: "frame", frame: writer.frameOf(event.plan, frame, event.index) };
        // Between two passes over states that are here: whoever looks elsewhere by now does not wait for the rest.
        await nextTask();
        if (options.signal?.aborted) return;
      }
    }
  } catch (error) {
    if (!(error instanceof CancelledError)) throw error;
  }

  /** The frame of a state, and before it, where it comes sooner alone, the reading that somebody waits for. */
  async function* readings({ plan, index, state }: StateEvent): AsyncGenerator<Frame, void> {
    // A GPU reads two latents in about the time of one, and would have to fetch them first.
    if (model.gpu) return yield await state.read();
    const here = { ...(await state.download()), step: index };
    yield* readByHalves(model.network, here, plan.recipe.settings.selfCondScale, first ?? "holds");
  }
}

/**
 * Finds where every position of the text was at the first `frames` frames (`EngineApi.paths`). One whose signal is aborted
 * has none, and does not throw.
 * @throws {SettingsError} the run has not so many frames; and every named error of the network.
 */
export async function* findPaths(
  model: Model,
  plan: RunPlan,
  frames: number,
  options: Pick<WriteOptions, "memory" | "signal"> = {},
): AsyncGenerator<RecallEvent, Paths | null> {
  const most = plan.path.times.length;
  if (!(Number.isInteger(frames) && frames > 0 && frames <= most)) {
    throw new SettingsError(`The run has no ${frames} frames.`, `Ask for 1 to ${most} of them.`);
  }
  const { architecture, latent } = model.manifest;
  const from = plan.source.length;
  const length = roomOf(plan.recipe.settings.length, from, architecture);
  const writer = new Writer(model, plan.source, { ...options, frames: "paced" });
  try {
    if (options.signal?.aborted) return null;
    const basis = latent.basis ?? (yield* ownBasis(writer));
    const places: PathPlaces[] = [];
    for await (const event of writer.states(
      plan,
      Array.from({ length: frames }, (_, index) => index),
    )) {
      if (event.type === "recall") yield event;
      else places.push(placesOf({ ...(await event.state.download()), step: event.index }, basis, { from, length }));
    }
    return joinPlaces(places, length, latent.basis ? "model" : "run");
  } catch (error) {
    if (!(error instanceof CancelledError)) throw error;
    return null;
  }

  async function* ownBasis(writer: Writer): AsyncGenerator<RecallEvent, LatentBasis> {
    let end: Float32Array = new Float32Array();
    for await (const event of writer.states(plan, [frames - 1])) {
      if (event.type === "recall") yield event;
      else end = (await event.state.download()).z;
    }
    const { latentSize } = model.network;
    return principalBasis(rowsOf(end, latentSize, from, length), latentSize, latent.noiseScale);
  }
}
