/** A fault of the network or the server that may be gone at the next try. */
export class PassingFault extends Error {
  constructor(
    message: string,
    /** How long the server asks to be left alone. */
    readonly waitSeconds: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The server gave no answer but that it is busy, which says nothing about what it was asked. */
export class BusyFault extends PassingFault {}

/** Tries in a row that bring nothing, before a download is given up. */
export const MOST_TRIES = 6;

const FIRST_PAUSE = 0.5;
const LONGEST_PAUSE = 16;
/** A server that asks for more patience than this is not waited for. */
const LONGEST_WAIT = 120;

/**
 * Seconds to wait after `failures` ≥ 1 tries in a row that brought nothing: 0.5, 1, 2, … 16, each shortened by up to half
 * at random, so that many pages do not come back at once; longer where the server asks for it. Null where it is not worth it.
 */
export function pauseAfter(failures: number, fault: PassingFault, random: () => number = Math.random): number | null {
  if (failures >= MOST_TRIES) return null;
  if (fault.waitSeconds !== null && fault.waitSeconds > LONGEST_WAIT) return null;
  const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1)) * (1 - random() / 2);
  return Math.max(pause, fault.waitSeconds ?? 0);
}

/** What the header `Retry-After` says, in seconds from now: a number of them or a date. Null where it says nothing. */
export function retryAfter(header: string | null, now: number = Date.now()): number | null {
  if (header === null) return null;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, (date - now) / 1000);
}

/** Waits, unless `signal` ends the wait. @throws the signal's reason. */
export function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, seconds * 1000);
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end, { once: true });
  });
}
