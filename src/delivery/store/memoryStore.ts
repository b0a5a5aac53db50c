import type { FileStore, PartFile, PartOrigin, StoredFile } from "./fileStore";

/** Keeps files for as long as the page lives: in private windows that offer nothing better, in Node, and in tests. */
export class MemoryStore implements FileStore {
  readonly lasting = false;
  // A Blob's bytes lie outside the script's memory, where the browser may move them to disk.
  readonly #whole = new Map<string, Blob>();
  readonly #parts = new Map<string, MemoryPart>();

  async size(sha256: string): Promise<number | null> {
    return this.#whole.get(sha256)?.size ?? null;
  }

  async read(sha256: string): Promise<Uint8Array<ArrayBuffer> | null> {
    const blob = this.#whole.get(sha256);
    return blob ? new Uint8Array(await blob.arrayBuffer()) : null;
  }

  async partSize(sha256: string): Promise<number> {
    return this.#parts.get(sha256)?.size ?? 0;
  }

  async openPart(sha256: string): Promise<PartFile> {
    const part =
      this.#parts.get(sha256) ??
      new MemoryPart((blob) => {
        this.#parts.delete(sha256);
        this.#whole.set(sha256, blob);
      });
    this.#parts.set(sha256, part);
    return part;
  }

  async remove(sha256: string): Promise<void> {
    this.#whole.delete(sha256);
    this.#parts.delete(sha256);
  }

  async list(): Promise<StoredFile[]> {
    return [
      ...[...this.#whole].map(([sha256, { size }]) => ({ sha256, bytes: size, whole: true })),
      ...[...this.#parts].map(([sha256, { size }]) => ({ sha256, bytes: size, whole: false })),
    ];
  }
}

class MemoryPart implements PartFile {
  size = 0;
  origin: PartOrigin | null = null;
  #chunks: Uint8Array<ArrayBuffer>[] = [];

  constructor(private readonly onKeep: (blob: Blob) => void) {}

  async setOrigin(origin: PartOrigin): Promise<void> {
    this.origin = origin;
  }

  read(bytes: Uint8Array, at: number): number {
    let start = 0;
    let filled = 0;
    for (const chunk of this.#chunks) {
      const from = Math.max(0, at + filled - start);
      const piece = chunk.subarray(from, from + bytes.length - filled);
      bytes.set(piece, filled);
      filled += piece.length;
      start += chunk.length;
    }
    return filled;
  }

  append(bytes: Uint8Array): void {
    this.#chunks.push(bytes.slice());
    this.size += bytes.length;
  }

  truncate(size: number): void {
    let start = 0;
    this.#chunks = this.#chunks.flatMap((chunk) => {
      const kept = chunk.subarray(0, Math.max(0, size - start));
      start += chunk.length;
      return kept.length > 0 ? [kept] : [];
    });
    this.size = Math.min(this.size, size);
  }

  close(): void {}

  async keep(): Promise<void> {
    this.onKeep(new Blob(this.#chunks));
    this.#chunks = [];
  }
}
