import { EngineCrashedError } from "./errors";

/** What can be done where workers are forbidden. */
export const WORKERS_ALLOWED =
  "Models run in workers. Open the page in a window of its own, in a current browser; whoever serves it has to allow it workers of its own (worker-src 'self' in its Content-Security-Policy).";

/**
 * Starts a worker.
 * @throws {EngineCrashedError} the browser has none, or gives this page none.
 */
export function startWorker(start: () => Worker): Worker {
  try {
    return start();
  } catch (cause) {
    throw new EngineCrashedError(
      `This page may not start a worker: ${cause instanceof Error ? cause.message : String(cause)}`,
      WORKERS_ALLOWED,
      { cause },
    );
  }
}
