import type { Backend } from "../../engine/protocol";
import type { Reading } from "../../flow/network";
import type { Frame, Trajectory } from "../../flow/trajectory";
import type { RecordedRun } from "../../model/trace";

/** One run on the shelf: recorded, written in this browser, or being written right now. */
export interface Run {
  readonly id: string;
  readonly origin: "recorded" | "generated";
  readonly status: RunStatus;
  /** The model's title, as a person reads it. */
  readonly modelTitle: string;
  /** Where it was computed; null for a recording. */
  readonly backend: Backend | null;
  readonly trajectory: Trajectory;
  /** Piece of each token id; `""` for ids that no frame names. */
  readonly pieces: readonly string[];
  /** The end-of-sequence token, after which nothing counts; null where the vocabulary has none. */
  readonly eos: number | null;
  /** Final text, or the last frame's where the run was stopped. */
  readonly text: string;
  /** How long it took to write; null for recordings and unfinished runs. */
  readonly seconds: number | null;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

/** `failed` keeps the frames that came before the fault. */
export type RunStatus = "running" | "done" | "cancelled" | "failed";

/** Which of a frame's two readings is shown. */
export type ReadingName = "holds" | "expects";

export const RECORDED_RUN_ID = "recorded";

export function runFromRecording({ title, trajectory, pieces, text }: RecordedRun): Run {
  const eos = pieces.indexOf("</s>");
  return {
    id: RECORDED_RUN_ID,
    origin: "recorded",
    status: isWhole(trajectory) ? "done" : "cancelled",
    modelTitle: title,
    backend: null,
    trajectory,
    pieces,
    eos: eos < 0 ? null : eos,
    text,
    seconds: null,
    startedAt: 0,
  };
}

/** Whether the run reached t = 1: only then is it known what settled when. */
export function isComplete(run: Run): boolean {
  return run.status === "done" && isWhole(run.trajectory);
}

function isWhole({ frames, times }: Trajectory): boolean {
  return frames.length === times.length;
}

/** Steps from noise to text; of a fork those of the run before it counted too. */
export function stepsOf({ trajectory }: Run): number {
  return trajectory.times.length - 1;
}

export function lastFrame(run: Run): Frame | undefined {
  return run.trajectory.frames.at(-1);
}

export function readingAt(run: Run, index: number, name: ReadingName): Reading | undefined {
  return run.trajectory.frames[index]?.[name];
}

/** Position of the first end-of-sequence token; the length if there is none. */
export function endOf(tokens: Int32Array, eos: number | null): number {
  const end = eos === null ? -1 : tokens.indexOf(eos);
  return end < 0 ? tokens.length : end;
}
