import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Asked, type Manners, NastyServer } from "../../../test/browser/nasty-server";
import { CancelledError } from "../../flow/errors";
import type { ManifestFile } from "../../format/manifest";
import { type DownloadProgress, download } from "./download";
import {
  CorruptFileError,
  ForbiddenError,
  MissingFileError,
  NoSpaceError,
  TruncatedFileError,
  UnreachableError,
} from "./errors";
import { MemoryStore } from "./memoryStore";
import { pauseAfter } from "./retry";

const names = ["a.bin", "b.bin", "c.bin", "d.bin", "e.bin", "f.bin"];
const contents = new Map(names.map((name, i) => [name, bytesOf(i + 1, 50_000 + 7777 * i)]));
const files: ManifestFile[] = [...contents].map(([path, bytes]) => ({
  path,
  bytes: bytes.length,
  sha256: createHash("sha256").update(bytes).digest("hex"),
}));
const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
const first = files[0] as ManifestFile;
const server = new NastyServer(contents);
let baseUrl: string;
let store: MemoryStore;
let progress: DownloadProgress[];

/** Bytes that look like nothing in particular, the same ones every time. */
function bytesOf(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0, state = seed; i < length; i++) {
    state = (state * 1664525 + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

beforeAll(async () => {
  baseUrl = await server.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  store = new MemoryStore();
  progress = [];
  server.treat(() => ({}));
});

const fetching = (wanted: readonly ManifestFile[] = files, more: Partial<Parameters<typeof download>[1]> = {}) =>
  download(wanted, {
    store,
    baseUrl,
    fetchFile: (url, init) => fetch(url, init as RequestInit),
    onProgress: (news) => progress.push(news),
    // As many tries as there really are, without the waits.
    pauseAfter: (failures, fault) => (pauseAfter(failures, fault) === null ? null : 0.001),
    ...more,
  });

async function expectAllKept(): Promise<void> {
  for (const { path, sha256 } of files) {
    expect(contents.get(path)?.equals((await store.read(sha256)) ?? new Uint8Array()), path).toBe(true);
  }
}

/** That nothing stands in the store as good which is not. */
async function expectNothingWrongKept(): Promise<void> {
  for (const { sha256, whole } of await store.list()) {
    if (!whole) continue;
    const bytes = (await store.read(sha256)) ?? new Uint8Array();
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256);
  }
}

describe("download", () => {
  it("brings every file once and says how far it is", async () => {
    await fetching();
    await expectAllKept();
    expect(server.asked).toHaveLength(files.length);
    expect(progress[0]).toMatchObject({ loadedBytes: 0, totalBytes: total });
    expect(progress.at(-1)).toEqual({ loadedBytes: total, totalBytes: total, wait: null });
    await fetching();
    expect(server.asked, "what is kept is not asked for again").toHaveLength(files.length);
  });

  it("asks for four files at a time", async () => {
    let open = 0;
    let most = 0;
    await fetching(files, {
      fetchFile: async (url, init) => {
        most = Math.max(most, ++open);
        await new Promise((resolve) => setTimeout(resolve, 20));
        open--;
        return fetch(url, init as RequestInit);
      },
    });
    expect(most).toBe(4);
  });

  it("goes on after connections that are cut at any byte, and never counts backwards", async () => {
    let state = 1;
    server.treat(({ turn }) => {
      state = (state * 48271) % 2147483647;
      return turn < 5 ? { cutAfter: state % 60_000 } : {};
    });
    await fetching();
    await expectAllKept();
    expect(server.asked.some(({ range }) => range !== undefined)).toBe(true);
    expect(progress.some(({ wait }) => wait !== null)).toBe(true);
    for (const [i, { loadedBytes }] of progress.entries()) {
      expect(loadedBytes).toBeGreaterThanOrEqual(progress[i - 1]?.loadedBytes ?? 0);
    }
  });

  it("goes on after the last byte of an earlier visit, with the ETag of then", async () => {
    server.treat(() => ({ cutAfter: 30_000 }));
    await expect(fetching([first], { pauseAfter: () => null })).rejects.toThrow(UnreachableError);
    const kept = await store.partSize(first.sha256);
    expect(kept).toBeGreaterThan(0);
    server.treat(() => ({}));
    await fetching([first]);
    expect(server.asked).toMatchObject([{ range: `bytes=${kept}-`, ifRange: expect.stringMatching(/^".+"$/) }]);
    expect(progress.at(-1)?.loadedBytes).toBe(first.bytes);
    await expectNothingWrongKept();
  });

  it("begins anew where the server knows no ranges", async () => {
    server.treat(({ turn }) => ({ ignoreRange: true, ...(turn < 2 ? { cutAfter: 40_000 } : {}) }));
    await fetching();
    await expectAllKept();
  });

  it("begins anew where the file changed between two requests", async () => {
    server.treat(({ turn }) => (turn === 0 ? { cutAfter: 40_000, etag: '"old"', flipAt: 3 } : { etag: '"new"' }));
    await fetching([first]);
    expect(server.asked).toMatchObject([{ range: undefined }, { range: expect.any(String), ifRange: '"old"' }]);
    await expectNothingWrongKept();
    expect(await store.size(first.sha256)).toBe(first.bytes);
  });

  it("throws away a beginning that turns out wrong, even one of an earlier visit", async () => {
    const part = await store.openPart(first.sha256);
    part.append(new Uint8Array(20_000));
    await fetching([first]);
    await expectNothingWrongKept();
    expect(await store.size(first.sha256)).toBe(first.bytes);
    expect(server.asked.map(({ range }) => range)).toEqual(["bytes=20000-", undefined]);
  });

  it("loads a file again whose byte was changed on the way, and refuses one that stays changed", async () => {
    server.treat(({ path, turn }) => (path === "b.bin" && turn === 0 ? { flipAt: 12_345 } : {}));
    await fetching();
    await expectAllKept();

    store = new MemoryStore();
    server.treat(({ path }) => (path === "b.bin" ? { flipAt: 12_345 } : {}));
    await expect(fetching()).rejects.toThrow(CorruptFileError);
    const corrupt = files[1] as ManifestFile;
    expect(await store.size(corrupt.sha256)).toBeNull();
    expect(await store.partSize(corrupt.sha256)).toBe(0);
    await expectNothingWrongKept();
  });

  const refusals: [string, (asked: Asked) => Manners, new (...all: never[]) => Error, string][] = [
    ["a file that ends early each time", () => ({ endAfter: 4321, ignoreRange: true }), TruncatedFileError, "4321 of"],
    ["a length too small in the headers", () => ({ lieBy: -100, endAfter: 4321 }), TruncatedFileError, "ended after"],
    ["a length too large in the headers", () => ({ lieBy: 1000 }), CorruptFileError, "longer than"],
    ["more bytes than there should be", () => ({ extraBytes: 5000 }), CorruptFileError, "longer than"],
    ["a web page in place of a file", () => ({ html: true }), MissingFileError, "There is no a.bin"],
    ["a missing file", () => ({ status: 404 }), MissingFileError, "There is no a.bin"],
    ["a private file", () => ({ status: 403 }), ForbiddenError, "may not be read"],
    ["a server that is broken", () => ({ status: 500 }), UnreachableError, "500. (6 tries)"],
    ["a server that asks for an hour", () => ({ status: 429, retryAfter: "3600" }), UnreachableError, "429"],
    ["a server that never sends a byte", () => ({ cutAfter: 0 }), UnreachableError, "6 tries"],
  ];
  it.each(refusals)("refuses %s by name and keeps nothing of it as good", async (_, manners, kind, words) => {
    server.treat(manners);
    const failing = fetching([first]);
    await expect(failing).rejects.toThrow(kind);
    await expect(failing).rejects.toThrow(words);
    expect(await store.size(first.sha256)).toBeNull();
    await expectNothingWrongKept();
  });

  it("waits as long as the server asks", async () => {
    server.treat(({ turn }) => (turn === 0 ? { status: 429, retryAfter: "1" } : {}));
    const start = Date.now();
    await fetching([first], { pauseAfter });
    expect(Date.now() - start).toBeGreaterThan(950);
    expect(progress.find(({ wait }) => wait)?.wait).toMatchObject({ seconds: 1, failures: 1 });
  });

  it("breaks off a connection that stalls and goes on with another", async () => {
    server.treat(({ turn }) => (turn === 0 ? { stallAfter: 20_000 } : {}));
    await fetching([first], { stallSeconds: 0.3 });
    expect(server.asked).toHaveLength(2);
    expect(server.asked[1]?.range).toMatch(/^bytes=[1-9]/);
    expect(progress.find(({ wait }) => wait)?.wait?.reason).toContain("nothing for 0.3 seconds");
    await expectNothingWrongKept();
  });

  it("stops when cancelled, keeps what has come, and goes on from there", async () => {
    const abort = new AbortController();
    server.treat(() => ({ slow: 5 }));
    const cancelled = fetching(files, {
      signal: abort.signal,
      onProgress: ({ loadedBytes }) => loadedBytes > 60_000 && abort.abort(),
    });
    await expect(cancelled).rejects.toThrow(CancelledError);
    await expectNothingWrongKept();
    await fetching();
    expect(progress[0]?.loadedBytes).toBeLessThanOrEqual(total);
    expect(server.asked.some(({ range }) => range?.match(/^bytes=[1-9]/))).toBe(true);
    await expectAllKept();
  });

  it("is cancelled while it waits for another try", async () => {
    const abort = new AbortController();
    server.treat(() => ({ status: 503 }));
    const waiting = fetching([first], {
      signal: abort.signal,
      pauseAfter: () => 60,
      onProgress: ({ wait }) => wait && abort.abort(),
    });
    await expect(waiting).rejects.toThrow(CancelledError);
  });

  it("stops the other files when one fails for good", async () => {
    server.treat(({ path }) => (path === "a.bin" ? { status: 404 } : { slow: 20 }));
    await expect(fetching()).rejects.toThrow("There is no a.bin");
    expect((await store.list()).some(({ whole }) => whole)).toBe(false);
  });

  it("refuses what does not fit before the first request, with need and room", async () => {
    vi.stubGlobal("navigator", { storage: { estimate: async () => ({ quota: 1_000_000, usage: 900_000 }) } });
    try {
      const lasting = Object.assign(new MemoryStore(), { lasting: true });
      const refused = fetching(files, { store: lasting });
      await expect(refused).rejects.toThrow(NoSpaceError);
      await expect(refused).rejects.toThrow(/needs 417 kB .* 100 kB left/);
      expect(server.asked).toHaveLength(0);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it("keeps a beginning when the disk fills up under it", async () => {
    const part = await store.openPart(first.sha256);
    const append = part.append.bind(part);
    part.append = (bytes) => {
      if (part.size + bytes.length > 30_000) throw new NoSpaceError("Full.", "");
      append(bytes);
    };
    await expect(fetching([first])).rejects.toThrow(NoSpaceError);
    expect(await store.size(first.sha256)).toBeNull();
    await expectNothingWrongKept();
  });
});
