import type { ManifestFile } from "../../format/manifest";
import { offered } from "../offered";
import { type Asked, lengthOf, readAnswer, type UsableAnswer, type UselessAnswer } from "./answer";
import { CorruptFileError, MissingFileError, TruncatedFileError } from "./errors";
import type { PartFile } from "./fileStore";
import {
  type Alive,
  type FetchFile,
  letGo,
  passingFaultOf,
  request,
  send,
  type TryOptions,
  untilDone,
} from "./request";
import { BusyFault, PassingFault } from "./retry";
import { Sha256 } from "./sha256";

export interface TransferOptions extends TryOptions {
  /** Where the file lies. */
  readonly url: string;
  readonly fetchFile: FetchFile;
  /** Whether it is on another origin than the page, which forbids some headers and hides others. */
  readonly foreign: boolean;
  /** Bytes of the file that are here and will stay, unless they turn out wrong. */
  readonly onBytes: (bytes: number) => void;
  /** Told once of each thing that is given up on the way: a sentence for the person. */
  readonly onNote?: ((note: string) => void) | undefined;
}

// The size of pieces in which a beginning is read again.
const REREAD_BYTES = 1 << 20;

// Requests for the rest that bring nothing, before the whole is asked for in their place.
const MOST_DOUBTS = 2;

const NOTHING_CAME = "the server sent nothing of the rest";
const WAS_BUSY = "the server was busy each time";

/**
 * Fills `part` up to the whole file and checks its size and SHA-256 on the way. Goes on after whatever is there, asks
 * again after a fault that may pass, and asks for the whole file where going on does not help; `answer.ts` has the table.
 * Of what has come nothing is ever thrown away but bytes that the server itself shows to be wrong.
 * @throws {CorruptFileError | TruncatedFileError | MissingFileError | ForbiddenError | UnreachableError | NoSpaceError | CancelledError}
 */
export async function transfer(file: ManifestFile, part: PartFile, options: TransferOptions): Promise<void> {
  if (part.size > file.bytes) part.truncate(file.bytes);
  const run = new Transfer(file, part, options);
  try {
    // One that is complete was closed before its last check.
    if (part.size < file.bytes) await run.fill("no-store");
    if (run.sha256() === file.sha256) return;
  } catch (error) {
    if (!(error instanceof CorruptFileError)) throw error;
  }
  options.onNote?.(`${file.path} has come with wrong bytes. It is loaded once more.`);
  run.distrust();
  // Past every cache, for the wrong bytes may lie in one.
  await run.fill("reload");
  const sha256 = run.sha256();
  if (sha256 === file.sha256) return;
  part.truncate(0);
  throw wrongBytes(file, sha256);
}

/** Where a body ended. */
interface Ended {
  readonly at: number;
  /** Whether there is no fault in that: it is the end of the file, or where the server said that it would end. */
  readonly isRight: boolean;
}

/** The transfer of one file: what is known of the server, and of the bytes that are here. */
class Transfer {
  #hash: Sha256;
  /** The bytes that are here have turned out wrong somewhere, and only the whole file can tell where. */
  #isWrong = false;
  /** This server has given the rest of the file when it was asked for it. */
  #restCame = false;
  /** It has said that it will not. */
  #restIsUseless = false;
  /** Requests for the rest in a row that brought nothing; the whole is asked for when there are enough. */
  #doubts = 0;
  /** Why the newest of them brought nothing. */
  #whyDoubted = NOTHING_CAME;
  /** Most bytes that were ever here. */
  #farthest: number;
  #endedAt: number | undefined;
  #isNoted = false;

  constructor(
    private readonly file: ManifestFile,
    private readonly part: PartFile,
    private readonly options: TransferOptions,
  ) {
    this.#hash = rehash(part);
    this.#farthest = part.size;
  }

  /** The SHA-256 of what is here. Nothing can be added to it after that, but by `distrust`. */
  sha256(): string {
    return this.#hash.hex();
  }

  /** From now on what is here counts only where the whole file, sent anew, agrees with it. */
  distrust(): void {
    this.#hash = rehash(this.part);
    this.#isWrong = true;
    this.#endedAt = undefined;
  }

  /** Appends to the part until it is as long as the file and nothing of it is known to be wrong. */
  async fill(cache: RequestCache): Promise<void> {
    const { file } = this;
    await untilDone(this.options, async (signal, alive) => {
      for (;;) {
        const { at, isRight } = await this.#ask(signal, alive, cache);
        if (this.part.size === file.bytes && !this.#isWrong) return;
        if (isRight) continue;
        // Once may be the line's fault; twice at the same byte is the file's.
        if (at === this.#endedAt) throw isPointer(beginningOf(this.part)) ? pointer(file) : tooShort(file, at);
        this.#endedAt = at;
        throw new PassingFault(`${file.path} ended after ${at} of ${file.bytes} bytes.`);
      }
    });
  }

  /** Asks for the rest where that may help, and for the whole where it does not, or did not. */
  async #ask(signal: AbortSignal, alive: Alive, cache: RequestCache): Promise<Ended> {
    const { part, file } = this;
    const init = { signal, cache };
    const isBegun = part.size > 0 && part.size < file.bytes;
    if (isBegun && !this.#isWrong && !this.#restIsUseless && this.#doubts < MOST_DOUBTS) {
      const before = part.size;
      try {
        const ended = await this.#askForRest(init, alive);
        if (!("why" in ended) && part.size > before) return ended;
        this.#restIsUseless = true;
        this.#note(before, "why" in ended ? ended.why : NOTHING_CAME);
      } catch (fault) {
        if (fault instanceof PassingFault && part.size === before) this.#doubt(fault);
        throw fault;
      }
      alive();
    } else if (this.#doubts >= MOST_DOUBTS) {
      this.#note(part.size, this.#whyDoubted);
    }
    this.#doubts = 0;
    return this.#askForWhole(init, alive);
  }

  /** Nothing came of the rest. That may be the line's fault, the server's, or that of asking for a rest. */
  #doubt(fault: PassingFault): void {
    // Without a connection nothing at all would come.
    if (offered(() => navigator.onLine) === false) return;
    this.#whyDoubted = fault instanceof BusyFault ? WAS_BUSY : NOTHING_CAME;
    this.#doubts += this.#restCame || fault instanceof BusyFault ? 1 : MOST_DOUBTS;
  }

  async #askForRest(init: { signal: AbortSignal; cache: RequestCache }, alive: Alive): Promise<Ended | UselessAnswer> {
    const { part, file } = this;
    const { url, fetchFile, foreign } = this.options;
    const etag = part.origin?.url === url ? part.origin.etag : null;
    // Elsewhere this header costs a preflight that few servers allow; there the ETag is compared afterwards.
    const conditional = etag !== null && !etag.startsWith("W/") && !foreign;
    const headers = { Range: `bytes=${part.size}-`, ...(conditional ? { "If-Range": etag } : {}) };
    const asked: Asked = { from: part.size, etag, conditional };
    const response = await send(url, file.path, fetchFile, { ...init, headers });
    const passing = passingFaultOf(response, file.path);
    const answer = passing ?? readAnswer(asked, response, file);
    if (answer instanceof Error || "why" in answer) await letGo(response);
    if (answer instanceof Error) throw answer;
    return "why" in answer ? answer : this.#takeIn(response, answer, alive);
  }

  async #askForWhole(init: { signal: AbortSignal; cache: RequestCache }, alive: Alive): Promise<Ended> {
    const { file } = this;
    const { url, fetchFile } = this.options;
    const response = await request(url, file.path, fetchFile, init);
    const length = response.status === 206 ? null : lengthOf(response);
    if (length !== null && length !== file.bytes) {
      if (length < POINTER_BYTES && isPointer(new Uint8Array(await response.arrayBuffer()))) throw pointer(file);
      await letGo(response);
      throw length < file.bytes ? tooShort(file, length) : tooLong(file);
    }
    const answer = readAnswer({ from: 0, etag: null, conditional: false }, response, file);
    if ("why" in answer) await letGo(response);
    const ended = "why" in answer ? answer : await this.#takeIn(response, answer, alive);
    if ("why" in ended) throw new PassingFault(`${file.path} could not be loaded: ${ended.why}.`);
    return ended;
  }

  /**
   * Takes in a body: what is here already is compared, the rest appended.
   * @throws {CorruptFileError} the whole file is longer than it should be.
   */
  async #takeIn(response: Response, answer: UsableAnswer, alive: Alive): Promise<Ended | UselessAnswer> {
    const { part, file } = this;
    const { onBytes } = this.options;
    const reader = response.body?.getReader();
    let at = answer.start;
    onBytes(part.size);
    for (;;) {
      const { done, value } = (await reader?.read().catch((cause: unknown) => {
        // All of the file has come, and what the server still owes is none of it: some tell a length that is too large.
        if (at === file.bytes) return { done: true, value: undefined };
        const where = Math.max(at, part.size);
        throw new PassingFault(`The connection broke at byte ${where} of ${file.bytes} of ${file.path}.`, null, {
          cause,
        });
      })) ?? { done: true };
      if (done || !value) break;
      try {
        const known = Math.min(value.length, part.size - at);
        const same = sameBytes(part, at, value.subarray(0, known));
        if (same < known) {
          if (!answer.isProof) return await useless(reader, "other bytes came than before");
          this.#cutOff(at + same);
        }
        const fresh = value.subarray(same);
        at += value.length;
        if (at > file.bytes) {
          if (!answer.isProof) return await useless(reader, "more bytes came than it has");
          throw tooLong(file);
        }
        if (fresh.length > 0) await this.#append(fresh, response, answer);
      } catch (error) {
        await reader?.cancel().catch(() => {});
        throw error;
      }
      alive(part.size > this.#farthest);
      this.#farthest = Math.max(this.#farthest, part.size);
      onBytes(part.size);
    }
    // Compared to its end.
    if (answer.isProof && answer.start === 0 && at >= part.size) this.#isWrong = false;
    return { at, isRight: at === file.bytes || at === answer.end };
  }

  async #append(bytes: Uint8Array, response: Response, { start }: UsableAnswer): Promise<void> {
    const { part } = this;
    const { url } = this.options;
    const etag = response.headers.get("etag");
    // What comes from here on is of this answer, and what was before is the same in it.
    const isNew = start === 0 && (part.origin?.url !== url || part.origin.etag !== etag);
    if (isNew) await part.setOrigin({ url, etag });
    part.append(bytes);
    this.#hash.update(bytes);
    if (start > 0) this.#restCame = true;
    this.#doubts = 0;
  }

  /** What is here is wrong from `size` on. */
  #cutOff(size: number): void {
    const { part, file, options } = this;
    if (!this.#isWrong) options.onNote?.(`${file.path} is another one than before from byte ${size} on.`);
    part.truncate(size);
    this.#hash = rehash(part);
    this.#isWrong = false;
  }

  #note(at: number, why: string): void {
    if (this.#isNoted) return;
    this.#isNoted = true;
    const kept = "The whole file is asked for, and what is here is kept.";
    this.options.onNote?.(`${this.file.path} could not be gone on with at byte ${at}: ${why}. ${kept}`);
  }
}

async function useless(reader: ReadableStreamDefaultReader | undefined, why: string): Promise<UselessAnswer> {
  await reader?.cancel().catch(() => {});
  return { why };
}

/** How many of the first bytes are those of the part from `at` on. */
function sameBytes(part: PartFile, at: number, bytes: Uint8Array): number {
  const block = new Uint8Array(Math.min(REREAD_BYTES, bytes.length));
  for (let done = 0; done < bytes.length; ) {
    const count = part.read(block.subarray(0, bytes.length - done), at + done);
    if (count === 0) throw unreadable(part, at + done);
    for (let i = 0; i < count; i++) if (block[i] !== bytes[done + i]) return done + i;
    done += count;
  }
  return bytes.length;
}

// How the note begins that Git LFS leaves in the place of a file.
const POINTER = new TextEncoder().encode("version https://git-lfs");
// No such note is as long.
const POINTER_BYTES = 1024;

function isPointer(bytes: Uint8Array): boolean {
  return POINTER.every((byte, i) => bytes[i] === byte);
}

function beginningOf(part: PartFile): Uint8Array {
  const bytes = new Uint8Array(POINTER.length);
  part.read(bytes, 0);
  return bytes;
}

function rehash(part: PartFile): Sha256 {
  const hash = new Sha256();
  const block = new Uint8Array(REREAD_BYTES);
  for (let at = 0; at < part.size; ) {
    const count = part.read(block, at);
    if (count === 0) throw unreadable(part, at);
    hash.update(block.subarray(0, count));
    at += count;
  }
  return hash;
}

function unreadable({ size }: PartFile, at: number): Error {
  return new Error(`The beginning of a file ends at ${at} of ${size} bytes.`);
}

function pointer(file: ManifestFile): MissingFileError {
  return new MissingFileError(
    `In the place of ${file.path} lies only the pointer of a file kept by Git LFS.`,
    "In a folder of yours, run git lfs pull there; of a server, give the address that hands out the files themselves.",
  );
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
