import type { RecordedRun } from "../../../format/trace";
import { recordedRun, type ShownRun } from "../../../player/run/run";
import type { Backend } from "../../../run/api";

/** One run on the shelf: recorded, written in this browser, or being written right now. */
export interface Run extends ShownRun {
  readonly origin: "recorded" | "generated";
  /** The model's title, as a person reads it. */
  readonly modelTitle: string;
  /** Where it was computed; null for a recording. */
  readonly backend: Backend | null;
  /** How long it took to write; null for recordings and unfinished runs. */
  readonly seconds: number | null;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

export const RECORDED_RUN_ID = "recorded";

export function runFromRecording(recording: RecordedRun): Run {
  return {
    ...recordedRun(RECORDED_RUN_ID, recording),
    origin: "recorded",
    modelTitle: recording.title,
    backend: null,
    seconds: null,
    startedAt: 0,
  };
}
