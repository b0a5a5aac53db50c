/** Of a run's time, what frames on the way may cost; the text itself is read in any case. */
const SHARE = 0.22;

/** Passes that a frame takes: z and x̂. In noise there is only z. */
const FRAME_PASSES = 2;

/**
 * The frames of a run of `steps` steps that are read while it goes on: the first, the last and, evenly spread between, as
 * many as cost `SHARE` of its passes. By count, not by the clock: the same run reads the same frames on every machine.
 * @param steps 1 or more, from the frame that it begins with.
 * @param passes of the denoiser in a step (`passesOf`).
 */
export function pacedFrames(steps: number, passes: number): ReadonlySet<number> {
  const between = Math.max(0, Math.floor((SHARE * steps * passes - 1) / FRAME_PASSES));
  const count = Math.min(between, steps - 1);
  return new Set(Array.from({ length: count + 2 }, (_, i) => Math.round((i * steps) / (count + 1))));
}
