import { CancelledError, ElfError } from "../../flow/errors";
import { isPage } from "./answer";
import { ForbiddenError, MissingFileError, UnreachableError } from "./errors";
import { BusyFault, PassingFault, pause, pauseAfter, retryAfter } from "./retry";

/** What of `RequestInit` is used. */
export interface FetchInit {
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cache?: RequestCache;
}

/** How files are had: the browser's `fetch`, or a reader of a folder that answers in the same way. */
export type FetchFile = (url: string, init: FetchInit) => Promise<Response>;

/** Told before each wait for another try. */
export interface Wait {
  /** What went wrong, as a sentence. */
  readonly reason: string;
  readonly seconds: number;
  /** Tries in a row that brought nothing. */
  readonly failures: number;
}

/** Seconds without a byte after which a connection counts as broken. */
export const STALL_SECONDS = 20;

/** Statuses of a server that is busy. */
const BUSY = new Set([408, 425, 429, 502, 503, 504, 520, 521, 522, 523, 524, 529]);
/** Statuses of a server that is broken, for a while only or for what it was asked. */
const BROKEN = new Set([500, 507]);

/**
 * Asks and waits for the headers of an answer, of whatever status. `path` names the file to the person.
 * @throws {PassingFault} nobody answers. @throws whatever named error `fetchFile` has.
 */
export async function send(url: string, path: string, fetchFile: FetchFile, init: FetchInit): Promise<Response> {
  try {
    return await fetchFile(url, init);
  } catch (cause) {
    if (cause instanceof ElfError) throw cause;
    throw new PassingFault(`${path} could not be loaded: ${cause instanceof Error ? cause.message : cause}.`, null, {
      cause,
    });
  }
}

/** The fault of an answer that may be gone at the next try; null where it has none, or one that stays. */
export function passingFaultOf({ status, headers }: Response, path: string): PassingFault | null {
  const message = `${path} could not be loaded: the server answered ${status}.`;
  if (BUSY.has(status)) return new BusyFault(message, retryAfter(headers.get("retry-after")));
  return BROKEN.has(status) ? new PassingFault(message, retryAfter(headers.get("retry-after"))) : null;
}

/** Lets go of an answer whose body, or the rest of it, is of no use to anyone. */
export async function letGo(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

/**
 * One request for a whole file.
 * @returns an answer of status 2xx that is no web page.
 * @throws {PassingFault} worth another try. @throws {MissingFileError | ForbiddenError | UnreachableError} not worth one.
 */
export async function request(url: string, path: string, fetchFile: FetchFile, init: FetchInit): Promise<Response> {
  const response = await send(url, path, fetchFile, init);
  const { ok, status } = response;
  // Servers of single-page apps answer a missing file with their page and status 200; no file of a model is HTML.
  if (ok && !isPage(response)) return response;
  await letGo(response);
  const passing = passingFaultOf(response, path);
  if (passing) throw passing;
  if (ok || status === 404 || status === 410) {
    throw new MissingFileError(
      `There is no ${path} at ${folderOf(url, path)}.`,
      "Check the model's name and address, or export it again.",
    );
  }
  if (status === 401 || status === 403) {
    throw new ForbiddenError(
      `${path} may not be read: the server answered ${status}.`,
      "The model is private or asks for consent. Download it yourself and drop its folder on the page.",
    );
  }
  throw new UnreachableError(
    `${path} could not be loaded: the server answered ${status}.`,
    "Check the model's address, and try again in a while.",
  );
}

export interface TryOptions {
  readonly signal?: AbortSignal | undefined;
  readonly stallSeconds?: number | undefined;
  readonly onWait?: ((wait: Wait | null) => void) | undefined;
  /** How long to wait; tests wait less. */
  readonly pauseAfter?: typeof pauseAfter | undefined;
}

/** Lets a try say that bytes are coming, which keeps it from being broken off. */
export type Alive = (brought?: boolean) => void;

/**
 * Does `attempt` until it succeeds, fails for good, or has failed too often in a row without bringing a byte. Each attempt
 * is broken off when it has said nothing for `stallSeconds`.
 * @throws {UnreachableError} given up. @throws {CancelledError} and whatever `attempt` throws that is no PassingFault.
 */
export async function untilDone<T>(
  options: TryOptions,
  attempt: (signal: AbortSignal, alive: Alive) => Promise<T>,
): Promise<T> {
  const { signal, stallSeconds = STALL_SECONDS, onWait } = options;
  let failures = 0;
  for (;;) {
    const stalled = new AbortController();
    let timer = setTimeout(() => stalled.abort(), stallSeconds * 1000);
    const alive: Alive = (brought = false) => {
      clearTimeout(timer);
      timer = setTimeout(() => stalled.abort(), stallSeconds * 1000);
      if (brought) failures = 0;
    };
    let fault: unknown;
    try {
      return await attempt(signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal, alive);
    } catch (thrown) {
      fault = thrown;
    } finally {
      clearTimeout(timer);
    }
    if (signal?.aborted) throw new CancelledError("The download was cancelled.");
    if (stalled.signal.aborted) fault = new PassingFault(`The server sent nothing for ${stallSeconds} seconds.`);
    if (!(fault instanceof PassingFault)) throw fault;
    failures++;
    const seconds = (options.pauseAfter ?? pauseAfter)(failures, fault);
    if (seconds === null) throw givenUp(fault, failures);
    onWait?.({ reason: fault.message, seconds, failures });
    try {
      await pause(seconds, signal);
    } catch {
      throw new CancelledError("The download was cancelled.");
    } finally {
      onWait?.(null);
    }
  }
}

function givenUp(fault: PassingFault, failures: number): UnreachableError {
  const action =
    fault.waitSeconds === null
      ? "Check the connection and load again: it goes on where it stopped. A server elsewhere must also allow other pages to read it (CORS)."
      : `The server asks to be left alone for ${Math.ceil(fault.waitSeconds)} seconds. Load again then: it goes on where it stopped.`;
  return new UnreachableError(`${fault.message} ${failures === 1 ? "" : `(${failures} tries)`}`.trim(), action, {
    cause: fault,
  });
}

function folderOf(url: string, path: string): string {
  return url.endsWith(path) ? url.slice(0, -path.length) : url;
}
