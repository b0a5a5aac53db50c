import { EngineCrashedError } from "./errors";

/** What can be done where workers are forbidden. */
export const WORKERS_ALLOWED =
  "Models run in workers. Open the page in a window of its own, in a current browser; whoever serves it has to allow it workers of its own (worker-src 'self' in its Content-Security-Policy).";

const TRUSTED_TYPES =
  "Whoever serves the page has to allow its policy in the Content-Security-Policy, trusted-types elf-playground, or leave trusted-types out.";

/**
 * Starts a worker.
 * @throws {EngineCrashedError} the browser has none, or gives this page none.
 */
export function startWorker(start: () => Worker): Worker {
  try {
    return start();
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new EngineCrashedError(
      `This page may not start a worker: ${words}`,
      /TrustedScriptURL|TrustedTypePolicy/.test(words) ? TRUSTED_TYPES : WORKERS_ALLOWED,
      { cause },
    );
  }
}
