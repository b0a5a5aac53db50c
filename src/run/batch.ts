import { encodeCondition } from "../flow/condition";
import type { Source } from "../flow/network";
import { rowOf } from "../flow/rows";
import { type FlowState, flow } from "../flow/sampler";
import type { SamplerSettings } from "../flow/settings";
import { flowConstants } from "../format/manifest";
import type { Model } from "../runtime/load";

export interface Batch {
  readonly settings: SamplerSettings;
  /** B, samples written at once: they share one schedule, and their noise is drawn as one array. */
  readonly batch: number;
  /** A prompt for each sample, one for all of them, or none. */
  readonly sources: readonly Source[];
}

export interface BatchOptions {
  /** Looks at every state, the start included, before the next is asked for. */
  readonly onState?: ((state: FlowState) => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WrittenBatch {
  readonly start: FlowState;
  readonly end: FlowState;
  /** Tokens of each sample's end, those of its prompt included, before any cut. */
  readonly tokens: readonly Int32Array[];
}

/**
 * Writes several samples from noise to text. What a recipe tells of, `writeRun` writes; of a batch there is none, for the
 * noise of a sample depends on how many there are. Settings and sources must have been checked.
 * @throws {CancelledError} the signal was aborted.
 */
export async function writeBatch(
  { manifest, network }: Model,
  { settings, batch, sources }: Batch,
  { onState, signal }: BatchOptions = {},
): Promise<WrittenBatch> {
  const { latentSize } = network;
  const condition = await encodeCondition(network, sources, { batch, length: settings.length, latentSize });
  let start: FlowState | undefined;
  let end: FlowState | undefined;
  for await (const state of flow(network, settings, flowConstants(manifest), { batch, condition, signal })) {
    start ??= state;
    end = state;
    await onState?.(state);
  }
  if (!start || !end) throw new Error("The flow yielded no state.");
  const { z } = end;
  const rows = Array.from({ length: batch }, (_, row) => rowOf(z, row, batch));
  const tokens = (await network.decode(rows, settings.selfCondScale)).map((reading) => reading.tokens);
  return { start, end, tokens };
}
