import type { RecordedRun } from "../../../format/trace";
import { recordedRun, type ShownRun } from "../../../player/run/run";
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
}

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
