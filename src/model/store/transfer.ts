import type { ManifestFile } from "../manifest";
import { CorruptFileError, TruncatedFileError } from "./errors";
import type { PartFile } from "./fileStore";
import { type Alive, type FetchFile, request, type TryOptions, untilDone } from "./request";
import { PassingFault } from "./retry";
import { Sha256 } from "./sha256";

export interface TransferOptions extends TryOptions {
  /** Where the file lies. */
  readonly url: string;
  readonly fetchFile: FetchFile;
  /** Whether it is on another origin than the page, which forbids some headers and hides others. */
  readonly foreign: boolean;
  /** Bytes of the file that are here and will stay, unless they turn out wrong. */
  readonly onBytes: (bytes: number) => void;
}

/** The size of pieces in which a beginning is read again for its SHA-256. */
const REREAD_BYTES = 1 << 20;

/**
 * Fills `part` up to the whole file and checks its size and SHA-256 on the way. Goes on after whatever is there, asks
 * again after a fault that may pass, and begins anew where the server knows no ranges or the file changed meanwhile.
 * When it throws, what has come so far stays in `part`, unless it is wrong.
 * @throws {CorruptFileError | TruncatedFileError | MissingFileError | ForbiddenError | UnreachableError | NoSpaceError | CancelledError}
 */
export async function transfer(file: ManifestFile, part: PartFile, options: TransferOptions): Promise<void> {
  if (part.size > file.bytes) part.clear();
  let hash = rehash(part);
  const anew = () => {
    part.clear();
    hash = new Sha256();
  };
  for (const mayRepeat of [true, false]) {
    // The second time past every cache, for the wrong bytes may lie in one.
    const cache: RequestCache = mayRepeat ? "no-store" : "reload";
    try {
      await fill(file, part, {
        ...options,
        cache,
        onAnew: anew,
        onBytes: options.onBytes,
        onPiece: (b) => hash.update(b),
      });
      const sha256 = hash.hex();
      if (sha256 === file.sha256) return;
      throw wrongBytes(file, sha256);
    } catch (error) {
      if (!(error instanceof CorruptFileError)) throw error;
      anew();
      if (!mayRepeat) throw error;
    }
  }
}

interface FillOptions extends TransferOptions {
  readonly cache: RequestCache;
  readonly onAnew: () => void;
  readonly onPiece: (bytes: Uint8Array) => void;
}

/** Appends to `part` until it is as long as the file. */
async function fill(file: ManifestFile, part: PartFile, options: FillOptions): Promise<void> {
  let farthest = part.size;
  let endedAt: number | undefined;
  // Nothing to ask for: an empty file, or a part that was closed before its last check.
  if (part.size === file.bytes) return;
  await untilDone(options, async (signal, alive) => {
    const response = await ask(file, part, signal, options);
    const ended = await drain(response, file, part, options, () => {
      alive(part.size > farthest);
      farthest = Math.max(farthest, part.size);
    });
    if (ended === file.bytes) return;
    // Once may be the line's fault; twice at the same byte is the file's.
    if (ended === endedAt) throw tooShort(file, ended);
    endedAt = ended;
    throw new PassingFault(`${file.path} ended after ${ended} of ${file.bytes} bytes.`);
  });
}

/** Asks for the rest of the file; the answer's body goes on where `part` ends. */
async function ask(file: ManifestFile, part: PartFile, signal: AbortSignal, options: FillOptions): Promise<Response> {
  const { url, fetchFile, foreign, cache, onAnew } = options;
  const etag = part.origin?.url === url ? part.origin.etag : null;
  const headers: Record<string, string> = {};
  if (part.size > 0) {
    headers.Range = `bytes=${part.size}-`;
    // Elsewhere this header costs a preflight that few servers allow; there the ETag is compared afterwards.
    if (etag && !etag.startsWith("W/") && !foreign) headers["If-Range"] = etag;
  }
  const response = await request(url, file.path, fetchFile, { signal, headers, cache });
  const answered = response.headers.get("etag");
  if (response.status === 416) {
    await response.body?.cancel();
    const length = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
    if (length !== undefined) refuseOtherLength(file, Number(length));
    onAnew();
    throw new PassingFault(`${file.path} cannot be gone on with; it is begun anew.`);
  }
  if (response.status !== 206) {
    // The whole file: the server knows no ranges, or it changed.
    const length = response.headers.get("content-length");
    // Across origins it is the length of what is sent, perhaps packed, and the packing is not told.
    if (response.type !== "cors" && !response.headers.has("content-encoding") && length !== null) {
      if (Number(length) !== file.bytes) await response.body?.cancel();
      refuseOtherLength(file, Number(length));
    }
    onAnew();
    await part.setOrigin({ url, etag: answered });
    return response;
  }
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
  const goesOn = range ? Number(range[1]) === part.size : response.type === "cors";
  const sameFile = !etag || !answered || etag === answered;
  if (goesOn && sameFile) {
    if (range?.[2] && range[2] !== "*") {
      if (Number(range[2]) !== file.bytes) await response.body?.cancel();
      refuseOtherLength(file, Number(range[2]));
    }
    return response;
  }
  await response.body?.cancel();
  onAnew();
  throw new PassingFault(`${file.path} changed on the server; it is begun anew.`);
}

/** Appends the answer's body to `part`, and says where it ended. */
async function drain(
  response: Response,
  file: ManifestFile,
  part: PartFile,
  { onBytes, onPiece }: FillOptions,
  alive: Alive,
): Promise<number> {
  const reader = response.body?.getReader();
  onBytes(part.size);
  while (reader) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw new PassingFault(`The connection broke at byte ${part.size} of ${file.bytes} of ${file.path}.`, null, {
        cause,
      });
    });
    if (done) break;
    if (part.size + value.length > file.bytes) {
      await reader.cancel();
      throw tooLong(file);
    }
    try {
      part.append(value);
    } catch (error) {
      await reader.cancel();
      throw error;
    }
    onPiece(value);
    alive();
    onBytes(part.size);
  }
  return part.size;
}

function rehash(part: PartFile): Sha256 {
  const hash = new Sha256();
  const block = new Uint8Array(REREAD_BYTES);
  for (let at = 0; at < part.size; ) {
    const count = part.read(block, at);
    if (count === 0) throw new Error(`The beginning of a file ends at ${at} of ${part.size} bytes.`);
    hash.update(block.subarray(0, count));
    at += count;
  }
  return hash;
}

function refuseOtherLength(file: ManifestFile, length: number): void {
  if (length < file.bytes) throw tooShort(file, length);
  if (length > file.bytes) throw tooLong(file);
}

function tooShort(file: ManifestFile, length: number): TruncatedFileError {
  return new TruncatedFileError(
    `${file.path} ended after ${length} of ${file.bytes} bytes.`,
    "Load the model again; if it ends at the same place, the copy on the server is incomplete.",
  );
}

function tooLong(file: ManifestFile): CorruptFileError {
  return new CorruptFileError(
    `${file.path} is longer than the ${file.bytes} bytes its manifest lists.`,
    "The files on the server do not belong together: tell their owner, or export the model again.",
  );
}

function wrongBytes(file: ManifestFile, sha256: string): CorruptFileError {
  return new CorruptFileError(
    `${file.path} is not the file its manifest was written for (SHA-256 ${sha256.slice(0, 12)}… instead of ${file.sha256.slice(0, 12)}…).`,
    "It was loaded twice and not kept. The files on the server do not belong together: tell their owner, or export the model again.",
  );
}
