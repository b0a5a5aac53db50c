import type { SamplerSettings } from "../../flow/settings";
import { stepsOf } from "../../player/run/run";
import { backendName } from "../../runtime/backendInWords";
import type { Run } from "../session/runs/shelfRun";

/** A run's settings in one short line, like "32 steps SDE γ 1.5 · w 3 · seed 7". */
export function describeSettings(settings: SamplerSettings): string {
  const { steps, method, gamma, selfCondScale, cfgScale, seed, schedule } = settings;
  const sampler = `${steps} ${steps === 1 ? "step" : "steps"} ${method.toUpperCase()}`;
  return [
    method === "sde" ? `${sampler} γ ${gamma}` : sampler,
    ...(cfgScale === 1 ? [] : [`ω ${cfgScale}`]),
    `w ${selfCondScale}`,
    ...(schedule === "logit_normal" ? [] : [schedule]),
    `seed ${seed}`,
  ].join(" · ");
}

/** Where a run comes from and how it ended. */
export function describeOrigin(run: Run): string {
  const { origin, status, seconds, backend, trajectory } = run;
  if (origin === "recorded") return "Recorded";
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
