import type { HeldToken } from "./held";
import type { Network, Reading } from "./network";
import type { Paths } from "./paths";
import type { Recipe } from "./recipe";
import { rowOf } from "./rows";
import type { FlowState } from "./sampler";

/** One moment of one sample of a run. Frame 0 is pure noise at t = 0; frame N is the text at t = 1. */
export interface Frame {
  /** 0 … N; of a run that continues another, counted from that one's noise. */
  readonly step: number;
  /** Time of this state. */
  readonly t: number;
  /** *What it holds*: the state z read as tokens. */
  readonly holds: Reading;
  /** *What it expects*: the prediction x̂ made on the way to this state, read as tokens. At frame 0 it equals `holds`. */
  readonly expects: Reading;
  /** Which of the two has not been read yet, where one is shown before both are: the other one stands in its place. */
  readonly awaits?: ReadingName;
}

/** Which of a frame's two readings. */
export type ReadingName = "holds" | "expects";

/**
 * A run so far, or finished: everything a page needs to play it, and to repeat it. Of a run that continues another the
 * frames and times before the fork are that one's.
 */
export interface Trajectory extends Recipe {
  /** Name of the model that wrote it. */
  readonly model: string;
  /** All N + 1 times, known before the first frame arrives. */
  readonly times: readonly number[];
  /**
   * Frames 0 … as far as the run got. One that has not been read yet is stood in for by the one before it, whose `step` is
   * less than its place (`isRead`).
   */
  readonly frames: readonly Frame[];
  /** Where every position was at these frames, read or not, where that has been asked for. */
  readonly paths?: Paths;
}

/** Whether the frame at this place is its own, none that stands in for it, and read: in this way, in both unless given. */
export function isRead(frames: readonly Frame[], index: number, reading?: ReadingName): boolean {
  const frame = frames[index];
  return frame?.step === index && (!frame.awaits || (reading !== undefined && frame.awaits !== reading));
}

/** The last of a run's frames that is no later than `t`, 0 … 1: where the run stands while another one is at `t`. */
export function frameAt(times: readonly number[], t: number): number {
  const later = times.findIndex((time) => time > t);
  return later < 0 ? times.length - 1 : Math.max(0, later - 1);
}

/** The frames that have been read, each once: its `step` is its place. */
export function ownFrames(frames: readonly Frame[]): Frame[] {
  return frames.filter((_, index) => isRead(frames, index));
}

/** The places at which another frame stands in. */
export function unreadSteps(frames: readonly Frame[]): number[] {
  return Array.from(frames.keys()).filter((index) => !isRead(frames, index));
}

/** The frames with these among them, each at its step; where there is none between two, the earlier one stands in. */
export function withFrames(frames: readonly Frame[], more: readonly Frame[]): Frame[] {
  const all = [...frames];
  for (const frame of more) {
    const before = all.at(-1) ?? frame;
    while (all.length < frame.step) all.push(before);
    all[frame.step] = frame;
    for (let next = frame.step + 1; (all[next]?.step ?? next) < frame.step; next++) all[next] = frame;
  }
  return all;
}

/** The frames as they are kept: for one of which a half is read the one before it stands in. */
export function wholeFrames(frames: readonly Frame[]): Frame[] {
  const whole: Frame[] = [];
  for (const frame of frames) whole.push(frame.awaits ? (whole.at(-1) ?? frame) : frame);
  return whole;
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

/**
 * A frame of the text alone: without the `from` positions of the prompt, and no more than the `room` that a model writes
 * in. A held token is read as itself, whatever the decoder makes of its embedding; its rivals and entropy are the decoder's.
 */
export function cutToText(
  frame: Frame,
  { from, room, held }: { from: number; room: number; held: readonly HeldToken[] },
): Frame {
  const holds = cutReading(frame.holds, from, room, held);
  return {
    ...frame,
    holds,
    expects: frame.expects === frame.holds ? holds : cutReading(frame.expects, from, room, held),
  };
}

function cutReading(reading: Reading, from: number, room: number, held: readonly HeldToken[]): Reading {
  const length = reading.tokens.length;
  const cut = <A extends Int32Array | Float32Array>(array: A): A => {
    const k = array.length / length;
    return array.slice(from * k, (from + room) * k) as A;
  };
  const tokens = cut(reading.tokens);
  for (const { position, token } of held) tokens[position] = token;
  return {
    tokens,
    entropy: cut(reading.entropy),
    topTokens: cut(reading.topTokens),
    topProbabilities: cut(reading.topProbabilities),
  };
}
