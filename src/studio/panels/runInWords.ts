import { stepsOf } from "../../player/run/run";
import { backendName } from "../../runtime/backendInWords";
import type { Run } from "../session/runs/shelfRun";

/** Where a run comes from and how it ended. */
export function describeOrigin(run: Run): string {
  const { origin, status, seconds, backend, trajectory } = run;
  if (origin === "recorded") return "Recorded";
  if (origin === "opened") return "From a file";
  if (status === "running") return `Writing, step ${reached(trajectory.frames)} of ${stepsOf(run)}`;
  if (status === "done")
    return [formatSeconds(seconds), backend ? backendName(backend) : ""].filter(Boolean).join(" · ");
  const how = status === "failed" ? "Failed" : "Stopped";
  return `${how} at step ${reached(trajectory.frames)} of ${stepsOf(run)}`;
}

function formatSeconds(seconds: number | null): string {
  if (seconds === null) return "";
  return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}

function reached(frames: readonly unknown[]): number {
  return Math.max(0, frames.length - 1);
}
