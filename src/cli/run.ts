import { encodeCondition } from "../flow/condition";
import type { Network, Source } from "../flow/network";
import { rowOf } from "../flow/rows";
import { type FlowState, flow } from "../flow/sampler";
import type { SamplerSettings } from "../flow/settings";
import { type Frame, readFrame } from "../flow/trajectory";
import type { Model } from "../model/load";
import { flowConstants } from "../model/manifest";

export interface FinishedRun {
  readonly start: FlowState;
  readonly end: FlowState;
  /** Tokens of each sample's end, those of its prompt included, before the cut at the end-of-sequence token. */
  readonly tokens: readonly Int32Array[];
  /** Every frame of the first sample, where they were to be kept. */
  readonly frames: readonly Frame[];
  /** How often the network saw each sample. */
  readonly passes: { readonly denoise: number; readonly decode: number };
}

/** What is wanted of a run besides its end. Frames cost a decoder pass each. */
export interface Wishes {
  readonly keepFrames: boolean;
  readonly onFrame: ((frame: Frame) => void) | undefined;
}

/** Runs the flow of `batch` samples to its end. `settings` and `sources` must have been checked. */
export async function runFlow(
  { manifest, network }: Model,
  settings: SamplerSettings,
  batch: number,
  sources: readonly Source[],
  { keepFrames, onFrame }: Wishes,
): Promise<FinishedRun> {
  const constants = flowConstants(manifest);
  const { latentSize } = network;
  const condition = await encodeCondition(network, sources, { batch, length: settings.length, latentSize });
  const passes = { denoise: 0, decode: 0 };
  const counted: Network = {
    latentSize,
    takesSelfCondScale: network.takesSelfCondScale,
    prepare: async (times, selfCondScale) => network.prepare?.(times, selfCondScale),
    denoise: (input) => {
      passes.denoise += input.batch / batch;
      return network.denoise(input);
    },
    decode: (latents, selfCondScale) => {
      passes.decode++;
      return network.decode(latents, selfCondScale);
    },
  };
  const frames: Frame[] = [];
  let start: FlowState | undefined;
  let end: FlowState | undefined;
  for await (const state of flow(counted, settings, constants, { batch, condition })) {
    start ??= state;
    end = state;
    if (!keepFrames && !onFrame) continue;
    const frame = await readFrame(counted, state, settings.selfCondScale);
    onFrame?.(frame);
    if (keepFrames) frames.push(frame);
  }
  if (!start || !end) throw new Error("The flow yielded no state.");
  const last = frames.at(-1);
  const tokens = last && batch === 1 ? [last.holds.tokens] : await readTokens(counted, end, settings.selfCondScale);
  return { start, end, tokens, frames, passes };
}

async function readTokens(network: Network, { z, batch }: FlowState, selfCondScale: number): Promise<Int32Array[]> {
  const rows = Array.from({ length: batch }, (_, row) => rowOf(z, row, batch));
  return (await network.decode(rows, selfCondScale)).map(({ tokens }) => tokens);
}
