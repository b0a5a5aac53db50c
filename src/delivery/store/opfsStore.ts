import { NoSpaceError, StoreError } from "./errors";
import type { FileStore, PartFile, PartOrigin, StoredFile } from "./fileStore";

/** What TypeScript's page library lacks, since only workers have it. */
export interface SyncAccessHandle {
  getSize(): number;
  read(bytes: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

export interface OpfsFile extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<SyncAccessHandle>;
  /** Renames within the folder. */
  move(name: string): Promise<void>;
}

const PART = ".part";
const ORIGIN = ".origin";

/** Keeps files in the browser's own file system (OPFS): `SHA256` whole, `SHA256.part` begun, `SHA256.origin` from where. */
export class OpfsStore implements FileStore {
  readonly lasting = true;

  constructor(private readonly folder: FileSystemDirectoryHandle) {}

  async size(sha256: string): Promise<number | null> {
    return (await this.#file(sha256))?.size ?? null;
  }

  async read(sha256: string): Promise<Uint8Array<ArrayBuffer> | null> {
    const file = await this.#file(sha256);
    return file ? new Uint8Array(await file.arrayBuffer()) : null;
  }

  async partSize(sha256: string): Promise<number> {
    return (await this.#file(sha256 + PART))?.size ?? 0;
  }

  async openPart(sha256: string): Promise<PartFile> {
    const file = await makeFile(this.folder, sha256 + PART);
    const origin = await this.#readOrigin(sha256);
    const handle = await openHandle(file);
    return new OpfsPart(this.folder, sha256, file, handle, origin);
  }

  async remove(sha256: string): Promise<void> {
    for (const name of [sha256, sha256 + PART, sha256 + ORIGIN]) await removeFile(this.folder, name);
  }

  async list(): Promise<StoredFile[]> {
    const found: StoredFile[] = [];
    for await (const [name, handle] of entriesOf(this.folder)) {
      if (handle.kind !== "file" || name.endsWith(ORIGIN)) continue;
      const file = await this.#file(name);
      // Another tab may have kept or deleted it meanwhile.
      if (!file) continue;
      const whole = !name.endsWith(PART);
      found.push({ sha256: whole ? name : name.slice(0, -PART.length), bytes: file.size, whole });
    }
    return found;
  }

  async #file(name: string): Promise<File | null> {
    try {
      return await (await this.folder.getFileHandle(name)).getFile();
    } catch (cause) {
      if (isNamed(cause, "NotFoundError")) return null;
      throw cause;
    }
  }

  async #readOrigin(sha256: string): Promise<PartOrigin | null> {
    try {
      const { url, etag } = JSON.parse((await (await this.#file(sha256 + ORIGIN))?.text()) ?? "null") ?? {};
      return typeof url === "string" ? { url, etag: typeof etag === "string" ? etag : null } : null;
    } catch {
      // Half written when the tab was closed. The part is then gone on with and its SHA-256 decides.
      return null;
    }
  }
}

class OpfsPart implements PartFile {
  size: number;

  constructor(
    private readonly folder: FileSystemDirectoryHandle,
    private readonly sha256: string,
    private readonly file: OpfsFile,
    private readonly handle: SyncAccessHandle,
    public origin: PartOrigin | null,
  ) {
    this.size = handle.getSize();
  }

  async setOrigin(origin: PartOrigin): Promise<void> {
    this.origin = origin;
    await writeText(this.folder, this.sha256 + ORIGIN, JSON.stringify(origin));
  }

  read(bytes: Uint8Array, at: number): number {
    return this.handle.read(bytes, { at });
  }

  append(bytes: Uint8Array): void {
    let written = 0;
    try {
      written = this.handle.write(bytes, { at: this.size });
    } catch (cause) {
      this.handle.truncate(this.size);
      throw isNamed(cause, "QuotaExceededError") ? full(cause) : cause;
    }
    // Chromium tells of a full disk by writing 4294967288 bytes: its error number, −8, without a sign.
    if (written !== bytes.length) {
      this.handle.truncate(this.size);
      throw full();
    }
    this.size += written;
  }

  truncate(size: number): void {
    this.handle.truncate(size);
    this.size = size;
  }

  close(): void {
    this.handle.close();
  }

  async keep(): Promise<void> {
    this.handle.flush();
    this.handle.close();
    await this.file.move(this.sha256);
    await removeFile(this.folder, this.sha256 + ORIGIN);
  }
}

/** The file of that name, made if there is none. @throws {NoSpaceError} */
async function makeFile(folder: FileSystemDirectoryHandle, name: string): Promise<OpfsFile> {
  try {
    return (await folder.getFileHandle(name, { create: true })) as OpfsFile;
  } catch (cause) {
    throw isNamed(cause, "QuotaExceededError") ? full(cause) : cause;
  }
}

/** Writes a small file in one go. */
export async function writeText(folder: FileSystemDirectoryHandle, name: string, text: string): Promise<void> {
  const handle = await openHandle(await makeFile(folder, name));
  try {
    const bytes = new TextEncoder().encode(text);
    handle.truncate(0);
    if (handle.write(bytes, { at: 0 }) !== bytes.length) throw full();
    handle.flush();
  } catch (cause) {
    throw isNamed(cause, "QuotaExceededError") ? full(cause) : cause;
  } finally {
    handle.close();
  }
}

export async function removeFile(folder: FileSystemDirectoryHandle, name: string): Promise<void> {
  try {
    await folder.removeEntry(name);
  } catch (cause) {
    if (!isNamed(cause, "NotFoundError")) throw inUse(cause);
  }
}

export function entriesOf(folder: FileSystemDirectoryHandle): AsyncIterable<[string, FileSystemHandle]> {
  return (folder as unknown as { entries(): AsyncIterable<[string, FileSystemHandle]> }).entries();
}

/** A worker that was ended a moment ago may still hold the file; its handle goes with it. */
const WAITS = [50, 200, 800];

async function openHandle(file: OpfsFile): Promise<SyncAccessHandle> {
  for (const wait of [...WAITS, null]) {
    try {
      return await file.createSyncAccessHandle();
    } catch (cause) {
      if (isNamed(cause, "QuotaExceededError")) throw full(cause);
      if (wait === null || !isNamed(cause, "NoModificationAllowedError")) throw inUse(cause);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  throw inUse(undefined);
}

function inUse(cause: unknown): StoreError {
  return new StoreError(
    `A stored file cannot be written or deleted: ${cause instanceof Error ? cause.message : String(cause)}.`,
    "Close other tabs of this page that load the same model, then try again.",
    { cause },
  );
}

function full(cause?: unknown): NoSpaceError {
  return new NoSpaceError(
    "The browser's storage is full.",
    "Delete stored models in the model shelf or free space on this device.",
    { cause },
  );
}

function isNamed(cause: unknown, name: string): boolean {
  return cause instanceof Error && cause.name === name;
}
