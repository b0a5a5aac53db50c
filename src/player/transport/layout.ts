import type { Axis } from "../display";

/** Where each of a run's times stands on the track, in percent of its width. */
export function trackPositions(times: readonly number[], axis: Axis): number[] {
  const steps = Math.max(1, times.length - 1);
  return times.map((t, step) => 100 * (axis === "time" ? t : step / steps));
}

/** How high the bar of `count` is, where that of `most` is `full` high. Square roots: the last step often carries half of
 * all tokens and would flatten the rest. */
export function barHeight(count: number, most: number, full: number): number {
  return full * Math.sqrt(count / Math.max(1, most));
}

/** The step that stands nearest to `percent`, among the first `count`. */
export function nearestStep(positions: readonly number[], percent: number, count: number): number {
  let nearest = 0;
  for (let step = 1; step < Math.min(count, positions.length); step++) {
    const better = Math.abs((positions[step] as number) - percent) < Math.abs((positions[nearest] as number) - percent);
    if (better) nearest = step;
  }
  return nearest;
}

/** The step that a key on the slider leads to; undefined for keys that are not the slider's. */
export function stepForKey(key: string, index: number, last: number): number | undefined {
  const page = Math.max(1, Math.round(last / 10));
  const step = {
    ArrowLeft: index - 1,
    ArrowDown: index - 1,
    ArrowRight: index + 1,
    ArrowUp: index + 1,
    PageDown: index - page,
    PageUp: index + page,
    Home: 0,
    End: last,
  }[key];
  return step === undefined ? undefined : Math.min(last, Math.max(0, step));
}
