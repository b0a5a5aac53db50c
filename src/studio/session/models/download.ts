/** How a download goes, as far as can be said honestly. */
export interface Download {
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Smoothed over the last second or so; null until enough has come to tell. */
  readonly bytesPerSecond: number | null;
  /** Clock of the newest measurement of speed, in seconds. */
  readonly measuredAt: number;
  readonly measuredBytes: number;
}

/** Shorter spans than this, in seconds, say more about the browser's buffering than about the line. */
const MEASURE_SECONDS = 0.25;
const NEWEST_SHARE = 0.4;

export function beginDownload(loadedBytes: number, totalBytes: number, now: number): Download {
  return { loadedBytes, totalBytes, bytesPerSecond: null, measuredAt: now, measuredBytes: loadedBytes };
}

export function trackDownload(before: Download, loadedBytes: number, totalBytes: number, now: number): Download {
  const elapsed = now - before.measuredAt;
  if (elapsed < MEASURE_SECONDS) return { ...before, loadedBytes, totalBytes };
  const measured = (loadedBytes - before.measuredBytes) / elapsed;
  const smoothed =
    before.bytesPerSecond === null ? measured : NEWEST_SHARE * measured + (1 - NEWEST_SHARE) * before.bytesPerSecond;
  return { loadedBytes, totalBytes, bytesPerSecond: smoothed, measuredAt: now, measuredBytes: loadedBytes };
}

/** Seconds until all is here at this speed; null if that cannot be told. */
export function secondsLeft({ loadedBytes, totalBytes, bytesPerSecond }: Download): number | null {
  if (bytesPerSecond === null || bytesPerSecond <= 0) return null;
  return (totalBytes - loadedBytes) / bytesPerSecond;
}
