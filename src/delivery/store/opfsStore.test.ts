import { beforeEach, describe, expect, it } from "vitest";
import { NoSpaceError, StoreError } from "./errors";
import { OpfsStore, type SyncAccessHandle } from "./opfsStore";

/** A folder of the browser's file system, as far as the store uses one; a write past `room` does as `whenFull` says. */
class FakeFolder {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly open = new Set<string>();
  room = Number.POSITIVE_INFINITY;
  whenFull: (bytes: Uint8Array) => number = (bytes) => bytes.length;

  async getFileHandle(name: string, { create = false } = {}) {
    if (!this.files.has(name)) {
      if (!create) throw new DOMException("not there", "NotFoundError");
      this.files.set(name, new Uint8Array());
    }
    return {
      kind: "file",
      getFile: async () => new File([this.files.get(name) as Uint8Array<ArrayBuffer>], name),
      move: async (to: string) => {
        this.files.set(to, this.files.get(name) as Uint8Array<ArrayBuffer>);
        this.files.delete(name);
      },
      createSyncAccessHandle: async () => this.#handle(name),
    };
  }

  async removeEntry(name: string): Promise<void> {
    if (this.open.has(name)) throw new DOMException("in use", "NoModificationAllowedError");
    if (!this.files.delete(name)) throw new DOMException("not there", "NotFoundError");
  }

  async *entries() {
    for (const name of this.files.keys()) yield [name, await this.getFileHandle(name)];
  }

  #handle(name: string): SyncAccessHandle {
    if (this.open.has(name)) throw new DOMException("in use", "NoModificationAllowedError");
    this.open.add(name);
    const bytes = () => this.files.get(name) as Uint8Array<ArrayBuffer>;
    return {
      getSize: () => bytes().length,
      read: (into, { at }) => {
        const piece = bytes().subarray(at, at + into.length);
        into.set(piece);
        return piece.length;
      },
      write: (from, { at }) => {
        if (at + from.length > this.room) return this.whenFull(from);
        const grown = new Uint8Array(Math.max(bytes().length, at + from.length));
        grown.set(bytes());
        grown.set(from, at);
        this.files.set(name, grown);
        return from.length;
      },
      truncate: (size) => void this.files.set(name, bytes().slice(0, size)),
      flush: () => {},
      close: () => void this.open.delete(name),
    };
  }
}

let folder: FakeFolder;
let store: OpfsStore;
beforeEach(() => {
  folder = new FakeFolder();
  store = new OpfsStore(folder as unknown as FileSystemDirectoryHandle);
});

describe("OpfsStore", () => {
  it("takes a file for kept only once it is whole, and remembers where a part came from", async () => {
    const part = await store.openPart("abc");
    await part.setOrigin({ url: "https://host/x", etag: '"1"' });
    part.append(Uint8Array.of(1, 2, 3));
    part.close();
    expect(await store.size("abc")).toBeNull();
    expect(await store.partSize("abc")).toBe(3);

    const again = await store.openPart("abc");
    expect(again).toMatchObject({ size: 3, origin: { url: "https://host/x", etag: '"1"' } });
    again.append(Uint8Array.of(4));
    const read = new Uint8Array(2);
    expect(again.read(read, 1)).toBe(2);
    expect(read).toEqual(Uint8Array.of(2, 3));
    await again.keep();
    expect(await store.read("abc")).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect([...folder.files.keys()]).toEqual(["abc"]);
    expect(folder.open.size).toBe(0);
  });

  it.each<[string, (bytes: Uint8Array) => number]>([
    [
      "throws",
      () => {
        throw new DOMException("full", "QuotaExceededError");
      },
    ],
    ["writes less", (bytes) => bytes.length - 1],
    // FILE_ERROR_NO_SPACE, −8, as Chromium 150 returns it.
    ["writes an error number", () => 4294967288],
  ])("names a full disk that %s, and keeps what was there before", async (_, whenFull) => {
    const part = await store.openPart("abc");
    part.append(Uint8Array.of(1, 2, 3));
    folder.room = 5;
    folder.whenFull = whenFull;
    expect(() => part.append(Uint8Array.of(4, 5, 6))).toThrow(NoSpaceError);
    expect(part.size).toBe(3);
    part.close();
    expect(folder.files.get("abc.part")).toEqual(Uint8Array.of(1, 2, 3));
  });

  it("lists and forgets wholes and parts, and says when one is in use", async () => {
    const whole = await store.openPart("w");
    whole.append(Uint8Array.of(1));
    await whole.keep();
    const part = await store.openPart("p");
    part.append(Uint8Array.of(1, 2));
    expect(await store.list()).toEqual([
      { sha256: "w", bytes: 1, whole: true },
      { sha256: "p", bytes: 2, whole: false },
    ]);
    await expect(store.remove("p")).rejects.toThrow(StoreError);
    part.close();
    await store.remove("p");
    await store.remove("w");
    expect(await store.list()).toEqual([]);
  });

  it("makes nothing of an origin that was half written", async () => {
    (await store.openPart("abc")).close();
    folder.files.set("abc.origin", new TextEncoder().encode('{"url":"htt'));
    expect((await store.openPart("abc")).origin).toBeNull();
  });
});
