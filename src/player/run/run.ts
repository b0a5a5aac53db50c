import type { Reading } from "../../flow/network";
import { type Frame, isRead, type ReadingName, type Trajectory } from "../../flow/trajectory";

/** What has to be known of a run to show it; where it is kept and who wrote it are others' business. */
export interface ShownRun {
  /** Another run has another one; a run that grows keeps its own. */
  readonly id: string;
  readonly status: RunStatus;
  readonly trajectory: Trajectory;
  /** Piece of each token id; `""` for ids that no frame names. */
  readonly pieces: readonly string[];
  /** The end-of-sequence token, after which nothing counts; null where the vocabulary has none. */
  readonly eos: number | null;
  /** Final text, or the last frame's where the run was stopped. */
  readonly text: string;
}

/** `failed` keeps the frames that came before the fault. */
export type RunStatus = "running" | "done" | "cancelled" | "failed";

/** A run that was recorded, as it is shown: whole, or stopped where its frames end. */
export function recordedRun(id: string, recording: Pick<ShownRun, "trajectory" | "pieces" | "text" | "eos">): ShownRun {
  const { trajectory, pieces, text, eos } = recording;
  return {
    id,
    status: reachesText(trajectory) ? "done" : "cancelled",
    trajectory,
    pieces,
    eos,
    text,
  };
}

/** Whether the run reached t = 1 and every frame of it has been read: only then is it known what settled when. */
export function isComplete({ status, trajectory }: ShownRun): boolean {
  const { frames } = trajectory;
  return status === "done" && reachesText(trajectory) && frames.every((_, index) => isRead(frames, index));
}

function reachesText({ frames, times }: Trajectory): boolean {
  return frames.length === times.length;
}

/** Steps from noise to text; of a fork those of the run before it counted too. */
export function stepsOf({ trajectory }: Pick<ShownRun, "trajectory">): number {
  return trajectory.times.length - 1;
}

export function lastFrame(run: ShownRun): Frame | undefined {
  return run.trajectory.frames.at(-1);
}

export function readingAt(run: ShownRun, index: number, name: ReadingName): Reading | undefined {
  return run.trajectory.frames[index]?.[name];
}
