import type { Network, Reading } from "./network";
import { rowOf } from "./rows";
import type { FlowState } from "./sampler";
import type { SamplerSettings } from "./settings";

/** One moment of one sample of a run. Frame 0 is pure noise at t = 0; frame N is the text at t = 1. */
export interface Frame {
  /** 0 … N. */
  readonly step: number;
  /** Time of this state. */
  readonly t: number;
  /** *What it holds*: the state z read as tokens. */
  readonly holds: Reading;
  /** *What it expects*: the prediction x̂ made on the way to this state, read as tokens. At frame 0 it equals `holds`. */
  readonly expects: Reading;
}

/** A run so far, or finished: everything a page needs to play it, and to repeat it. */
export interface Trajectory {
  readonly settings: SamplerSettings;
  /** Name of the model that wrote it. */
  readonly model: string;
  /** All N + 1 times, known before the first frame arrives. */
  readonly times: readonly number[];
  /** Frames 0 … as far as the run got. */
  readonly frames: readonly Frame[];
}

/** Reads sample `row` of a state as tokens: z and x̂ in one decoder pass. */
export async function readFrame(network: Network, state: FlowState, selfCondScale: number, row = 0): Promise<Frame> {
  const [frame] = await readFrames(network, [state], selfCondScale, row);
  return frame as Frame;
}

/** Reads sample `row` of several states, all of them in one decoder pass. */
export async function readFrames(
  network: Network,
  states: readonly FlowState[],
  selfCondScale: number,
  row = 0,
): Promise<Frame[]> {
  if (states.length === 0) return [];
  const latents = states.flatMap(({ step, z, prediction, batch }) =>
    // Before the first step there is no prediction yet, only zeros.
    (step === 0 ? [z] : [z, prediction]).map((array) => rowOf(array, row, batch)),
  );
  const readings = await network.decode(latents, selfCondScale);
  if (readings.length < latents.length) throw new Error("The network read fewer latents than it was given.");
  let taken = 0;
  return states.map(({ step, t }) => {
    const holds = readings[taken++] as Reading;
    return { step, t, holds, expects: step === 0 ? holds : (readings[taken++] as Reading) };
  });
}
