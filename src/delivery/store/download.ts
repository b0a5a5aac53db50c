import { CancelledError } from "../../flow/errors";
import type { ManifestFile } from "../../format/manifest";
import type { FileStore } from "./fileStore";
import { whileLocked } from "./locks";
import type { FetchFile, TryOptions, Wait } from "./request";
import { requireSpace } from "./space";
import { transfer } from "./transfer";

/** How far a download is. */
export interface DownloadProgress {
  /** Bytes that are here, over all files; never falls. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** The wait before another try that began last; null while all is well. */
  readonly wait: Wait | null;
  /** What was given up on the way, or turned out wrong, last; absent while nothing was. */
  readonly note?: string | undefined;
}

export interface DownloadOptions extends Omit<TryOptions, "onWait"> {
  readonly store: FileStore;
  /** Folder that holds the files, ending in `/`. */
  readonly baseUrl: string;
  readonly fetchFile: FetchFile;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/** Files that come at a time. Browsers open six connections to a host, and others want one too. */
const PARALLEL = 4;

/**
 * Brings the files into the store that are not yet kept there whole, several at a time, each only once in all tabs of this
 * page. When one fails for good the others stop too; what has come stays for the next time.
 * @throws {NoSpaceError} before anything is loaded, where the browser says that it will not fit.
 * @throws every error of `transfer`, and CancelledError.
 */
export async function download(files: readonly ManifestFile[], options: DownloadOptions): Promise<void> {
  const { store, baseUrl, fetchFile, onProgress = () => {} } = options;
  const wanted = [...new Map(files.map((file) => [file.sha256, file])).values()];
  const missing = await requireRoomFor(wanted, store);
  const progress = new Tally(wanted, missing, onProgress);
  progress.report();
  if (missing.length === 0) return;

  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const bring = async (file: ManifestFile) => {
    const kept = await store.size(file.sha256);
    // Another tab was first, or it is damaged.
    if (kept === file.bytes) return progress.set(file, file.bytes);
    if (kept !== null) await store.remove(file.sha256);
    const part = await store.openPart(file.sha256);
    try {
      await transfer(file, part, {
        ...options,
        signal,
        url: `${baseUrl}${file.path}`,
        fetchFile,
        foreign: isForeign(baseUrl),
        onBytes: (bytes) => progress.set(file, bytes),
        onWait: (wait) => progress.wait(wait),
        onNote: (note) => progress.note(note),
      });
    } catch (error) {
      part.close();
      throw error;
    }
    await part.keep();
  };
  const queue = [...missing];
  const lane = async () => {
    for (let file = queue.shift(); file && !signal.aborted; file = queue.shift()) {
      const next = file;
      await whileLocked(next.sha256, signal, () => bring(next));
    }
  };
  const lanes = Array.from({ length: PARALLEL }, () =>
    lane().catch((error: unknown) => {
      // The first fault is told; those after it only say that they were stopped.
      stop.abort(error);
    }),
  );
  await Promise.allSettled(lanes);
  if (options.signal?.aborted) throw new CancelledError("The download was cancelled.");
  if (stop.signal.aborted) throw stop.signal.reason;
}

/**
 * Which of the files are not kept whole yet.
 * @throws {NoSpaceError} the browser says that they will not fit.
 */
export async function requireRoomFor(files: readonly ManifestFile[], store: FileStore): Promise<ManifestFile[]> {
  const missing: ManifestFile[] = [];
  let begun = 0;
  for (const file of files) {
    if ((await store.size(file.sha256)) === file.bytes) continue;
    missing.push(file);
    begun += Math.min(file.bytes, await store.partSize(file.sha256));
  }
  if (missing.length > 0) await requireSpace(sum(missing) - begun, store.lasting);
  return missing;
}

/** Adds up what single files report. */
class Tally {
  readonly #bytes = new Map<string, number>();
  readonly #total: number;
  readonly #kept: number;
  #most = 0;
  #wait: Wait | null = null;
  #note: string | undefined;

  constructor(
    wanted: readonly ManifestFile[],
    missing: readonly ManifestFile[],
    private readonly onProgress: (progress: DownloadProgress) => void,
  ) {
    this.#total = sum(wanted);
    this.#kept = this.#total - sum(missing);
  }

  set({ sha256 }: ManifestFile, bytes: number): void {
    this.#bytes.set(sha256, bytes);
    this.report();
  }

  wait(wait: Wait | null): void {
    this.#wait = wait;
    this.report();
  }

  note(note: string): void {
    this.#note = note;
    this.report();
  }

  report(): void {
    // A file begun anew counts from nothing again; the bar stands still until it has caught up.
    this.#most = Math.max(
      this.#most,
      [...this.#bytes.values()].reduce((all, bytes) => all + bytes, this.#kept),
    );
    this.onProgress({
      loadedBytes: this.#most,
      totalBytes: this.#total,
      wait: this.#wait,
      ...(this.#note ? { note: this.#note } : {}),
    });
  }
}

function sum(files: readonly ManifestFile[]): number {
  return files.reduce((all, { bytes }) => all + bytes, 0);
}

function isForeign(baseUrl: string): boolean {
  const { origin } = globalThis.location ?? {};
  return origin !== undefined && /^https?:/.test(baseUrl) && new URL(baseUrl).origin !== origin;
}
