/**
 * Where downloaded files are kept. A file is known by the SHA-256 of its bytes, so models share what they have in common,
 * a file written anew never meets its old self, and one beginning can be finished from any server. Under that name stand
 * whole and checked files only; everything else is a part.
 */
export interface FileStore {
  /** Whether what it keeps outlives the page. */
  readonly lasting: boolean;
  /** Bytes of the file if it is kept whole, else null. */
  size(sha256: string): Promise<number | null>;
  /** The file if it is kept whole, else null. Its bytes are to be checked again: disks fail. */
  read(sha256: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** Bytes of the beginning that is here; 0 where there is none. */
  partSize(sha256: string): Promise<number>;
  /**
   * Opens the beginning of a file, or begins it. Whoever opens it holds the file's lock (`locks.ts`).
   * @throws {StoreError} something else has it open.
   */
  openPart(sha256: string): Promise<PartFile>;
  /** Forgets the file and its beginning. */
  remove(sha256: string): Promise<void>;
  /** Everything that takes room here, whole or not. */
  list(): Promise<StoredFile[]>;
}

export interface StoredFile {
  readonly sha256: string;
  readonly bytes: number;
  readonly whole: boolean;
}

/** The beginning of a file. To be ended by `close` or `keep`. */
export interface PartFile {
  readonly size: number;
  /** Which answer of which server it was read from; null where that was not noted. */
  readonly origin: PartOrigin | null;
  setOrigin(origin: PartOrigin): Promise<void>;
  /** Reads bytes from offset `at` on into `bytes`, and says how many. */
  read(bytes: Uint8Array, at: number): number;
  /**
   * Adds bytes at the end.
   * @throws {NoSpaceError} there is no room for them; what was there stays.
   */
  append(bytes: Uint8Array): void;
  /** Forgets the bytes from `size` on. */
  truncate(size: number): void;
  /** Closes it for later. */
  close(): void;
  /** Closes it and makes it the whole file, at once or not at all. Its SHA-256 is the caller's to check, before. */
  keep(): Promise<void>;
}

export interface PartOrigin {
  readonly url: string;
  readonly etag: string | null;
}
