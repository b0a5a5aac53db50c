import { type ShownRun, stepsOf } from "../run/run";

/**
 * The frame that a run which took `seconds` had reached after `elapsed` of them. Its steps take as long as one another; those
 * of the run that it continues were there before.
 */
export function indexAtSecond({ trajectory }: ShownRun, elapsed: number, seconds: number): number {
  const first = trajectory.from?.step ?? 0;
  const steps = stepsOf({ trajectory }) - first;
  const share = seconds > 0 ? Math.min(1, elapsed / seconds) : 1;
  // A share of a share in floating point: 5 of 10 steps must not come out as 4.999….
  const reached = first + Math.floor(share * steps + 1e-9);
  return Math.max(0, Math.min(reached, trajectory.frames.length - 1));
}
