import {
  IDBCursor,
  IDBDatabase,
  IDBFactory,
  IDBIndex,
  IDBObjectStore,
  IDBRequest,
  IDBTransaction,
} from "fake-indexeddb";
import { openDB } from "idb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { pathsOfLength, runOf } from "../../testing/runs";
import { bytesOf } from "../runs/shelfRun";
import { browserArchive, namedPieces } from "./archive";

describe("the archive of a browser", () => {
  beforeEach(() => {
    vi.stubGlobal("indexedDB", new IDBFactory());
    for (const [name, value] of Object.entries({
      IDBRequest,
      IDBDatabase,
      IDBTransaction,
      IDBObjectStore,
      IDBIndex,
      IDBCursor,
    })) {
      vi.stubGlobal(name, value);
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });

  const kept = runOf(["▁the ▁sat", "▁the ▁cat"], { id: "kept", startedAt: 5, text: "the cat" });
  const withPaths = { ...kept, trajectory: { ...kept.trajectory, paths: pathsOfLength(2, 2) } };

  it("has all runs without their frames, and each with them", async () => {
    const archive = browserArchive();
    expect(await archive.save(withPaths)).toEqual([]);
    const [folded, ...others] = (await archive.all()) ?? [];
    expect(others).toEqual([]);
    expect(folded).toMatchObject({ id: "kept", text: "the cat", pieces: [], folded: { frames: 2 } });
    expect(folded?.trajectory.frames).toEqual([]);
    expect(folded?.trajectory.paths).toBeUndefined();
    const whole = await archive.get("kept");
    expect(whole).toEqual({ ...withPaths, pieces: namedPieces(withPaths) });
    await archive.remove("kept");
    expect(await archive.get("kept")).toBeNull();
    expect(await archive.all()).toEqual([]);
  });

  it("lets the oldest go for one too many, and says which", async () => {
    const archive = browserArchive(undefined, { runs: 3, bytes: 1e9 });
    for (let i = 0; i < 3; i++) expect(await archive.save({ ...kept, id: `${i}`, startedAt: i })).toEqual([]);
    expect(await archive.save({ ...kept, id: "new", startedAt: 50 })).toEqual(["0"]);
    expect(await archive.get("0")).toBeNull();
    expect(await archive.all()).toHaveLength(3);
    // The same once more takes no room.
    expect(await archive.save({ ...kept, id: "new", startedAt: 50 })).toEqual([]);
  });

  it("lets the oldest go where their frames are too many bytes, and keeps the newest whatever it has", async () => {
    const archive = browserArchive(undefined, { runs: 9, bytes: 1.5 * bytesOf(kept) });
    expect(await archive.save({ ...kept, id: "old", startedAt: 1 })).toEqual([]);
    expect(await archive.save({ ...kept, id: "new", startedAt: 2 })).toEqual(["old"]);
    const small = browserArchive(undefined, { runs: 9, bytes: 1 });
    expect(await small.save({ ...kept, id: "newest", startedAt: 3 })).toEqual(["new"]);
    expect((await small.all())?.map(({ id }) => id)).toEqual(["newest"]);
  });

  const unanswered = {
    "is never answered": () => new IDBRequest() as never,
    fails: () => {
      throw new DOMException("There is no transaction in progress.", "UnknownError");
    },
  };
  for (const [how, first] of Object.entries(unanswered)) {
    it(`asks for all runs over another connection where the first question ${how}`, async () => {
      await browserArchive().save(kept);
      const close = vi.spyOn(IDBDatabase.prototype, "close");
      const asked = vi.spyOn(IDBObjectStore.prototype, "getAll").mockImplementationOnce(first);
      const archive = browserArchive(50);
      expect((await archive.all())?.map(({ id }) => id)).toEqual(["kept"]);
      expect(asked).toHaveBeenCalledTimes(2);
      expect(close).toHaveBeenCalledTimes(1);
      expect(await archive.get("kept")).toMatchObject({ id: "kept" });
    });

    it(`says that nothing is kept where every question ${how}`, async () => {
      vi.spyOn(IDBObjectStore.prototype, "getAll").mockImplementation(first);
      expect(await browserArchive(20).all()).toBeNull();
    });
  }

  it("takes over the runs of its first version", async () => {
    const first = await openDB("elf-playground", 1, {
      upgrade: (database) => {
        database.createObjectStore("runs", { keyPath: "id" }).createIndex("startedAt", "startedAt");
      },
    });
    const own = { ...withPaths, pieces: namedPieces(withPaths) };
    await first.put("runs", own);
    await first.put("runs", { id: "broken", startedAt: 3, pieces: [], trajectory: {} });
    first.close();
    const archive = browserArchive();
    expect((await archive.all())?.map(({ id }) => id)).toEqual(["kept"]);
    expect(await archive.get("kept")).toEqual(own);
  });
});

it("keeps the pieces that the frames name, at their ids", () => {
  const run = runOf(["▁cat .", "▁cat s"]);
  const pieces = namedPieces(run);
  expect(pieces[4]).toBe("▁cat");
  expect(pieces[5]).toBe("s");
  expect(pieces[6]).toBe(".");
  expect(pieces[3]).toBe("");
  expect(pieces).toHaveLength(7);
});

it("keeps those of words that a run before it held, which no frame of its own may have", () => {
  const parent = runOf(["▁cat"]).trajectory;
  const from = { run: { settings: parent.settings, held: [{ position: 0, token: 6 }] }, step: 0 };
  expect(namedPieces(runOf(["▁cat"], { trajectory: { ...parent, from } }))[6]).toBe(".");
});

const thrown = () => {
  throw new DOMException("The operation is insecure.", "SecurityError");
};

/** A request of a database that ends with an error, or never. */
class FakeRequest extends EventTarget {
  readonly error = new DOMException("A mutation operation was attempted", "InvalidStateError");
  constructor(how: "fails" | "hangs") {
    super();
    if (how === "fails") queueMicrotask(() => this.dispatchEvent(new Event("error")));
  }
}

const denials: Record<string, PropertyDescriptor> = {
  "is missing": { value: undefined },
  "is null": { value: null },
  "throws when it is asked for": { get: thrown },
  "throws when it is opened": { value: { open: thrown } },
  "fails to open": { value: { open: () => new FakeRequest("fails") } },
  "never opens": { value: { open: () => new FakeRequest("hangs") } },
  "opens nothing": { value: { open: () => null } },
};

describe("a database that", () => {
  for (const [how, descriptor] of Object.entries(denials)) {
    it(`${how} keeps nothing, says so, and never throws`, async () => {
      vi.stubGlobal("IDBRequest", FakeRequest);
      Object.defineProperty(globalThis, "indexedDB", { configurable: true, ...descriptor });
      try {
        const archive = browserArchive(20);
        expect(await archive.all()).toBeNull();
        expect(await archive.save(runOf(["▁cat"]))).toBeNull();
        expect(await archive.get("run")).toBeUndefined();
        await archive.remove("run");
      } finally {
        Reflect.deleteProperty(globalThis, "indexedDB");
        vi.unstubAllGlobals();
      }
    });
  }
});
