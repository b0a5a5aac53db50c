import type { RecordedRun } from "../../../format/trace";
import { recordedRun, type ShownRun } from "../../../player/run/run";
import { type Settling, settlingOf } from "../../../player/run/settling";
import { textSoFar } from "../../../player/run/textSoFar";
import type { Backend } from "../../../run/api";

/** One run on the shelf: recorded, opened from a file, written in this browser, or being written right now. */
export interface Run extends ShownRun {
  readonly origin: "recorded" | "opened" | "generated";
  /** The model's title, as a person reads it. */
  readonly modelTitle: string;
  /** Where it was computed; null for one that was not written here. */
  readonly backend: Backend | null;
  /** How long it took to write; null for unfinished runs and those that were not written here. */
  readonly seconds: number | null;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** What is left of its frames while these are put away (`foldRun`): then it has none, no paths, and no pieces. */
  readonly folded?: FoldedFrames;
}

/** What a card tells of frames that are not there. */
export interface FoldedFrames {
  readonly frames: number;
  readonly bytes: number;
  /** How its words settled, where that is known. */
  readonly settling: Pick<Settling, "words" | "wordsByFrame"> | null;
}

/** The run without its frames, a hundredth of its size: what its card shows, and the recipe. */
export function foldRun(run: Run): Run {
  if (run.folded) return run;
  const { frames, paths: _, ...trajectory } = run.trajectory;
  const settling = settlingOf(run, "holds");
  return {
    ...run,
    pieces: [],
    text: textSoFar(run),
    trajectory: { ...trajectory, frames: [] },
    folded: {
      frames: frames.length,
      bytes: bytesOf(run),
      settling: settling && { words: settling.words, wordsByFrame: settling.wordsByFrame },
    },
  };
}

/** The frames that a run has, put away or not. */
export function frameCount({ folded, trajectory }: Pick<Run, "folded" | "trajectory">): number {
  return folded ? folded.frames : trajectory.frames.length;
}

/** Bytes of a run's frames, all of which are as long as its first; those that stand in for others are counted, too. */
export function bytesOf({ folded, trajectory: { frames } }: Pick<Run, "folded" | "trajectory">): number {
  if (folded) return folded.bytes;
  const { tokens, entropy, topTokens, topProbabilities } = frames[0]?.holds ?? NO_READING;
  const reading = [tokens, entropy, topTokens, topProbabilities].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return 2 * reading * frames.length;
}

const NO_READING = {
  tokens: new Int32Array(),
  entropy: new Float32Array(),
  topTokens: new Int32Array(),
  topProbabilities: new Float32Array(),
};

/** Whether it has what a run is shown by: one that another version kept, or that a disk has damaged, may lack it. */
export function canBeShown({ trajectory, pieces }: Pick<Run, "trajectory" | "pieces">): boolean {
  const { frames, times, settings } = (trajectory ?? {}) as Partial<Run["trajectory"]>;
  return Array.isArray(frames) && Array.isArray(times) && settings !== undefined && Array.isArray(pieces);
}

export const RECORDED_RUN_ID = "recorded";

export function runFromRecording(recording: RecordedRun): Run {
  return notWrittenHere(RECORDED_RUN_ID, recording, "recorded", 0);
}

/** A run of a file; `openedAt` is its place on the shelf, milliseconds since 1970. */
export function runFromFile(id: string, recording: RecordedRun, openedAt: number): Run {
  return notWrittenHere(id, recording, "opened", openedAt);
}

function notWrittenHere(id: string, recording: RecordedRun, origin: Run["origin"], startedAt: number): Run {
  return {
    ...recordedRun(id, recording),
    origin,
    modelTitle: recording.title,
    backend: null,
    seconds: null,
    startedAt,
  };
}
