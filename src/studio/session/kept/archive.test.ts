import { describe, expect, it, vi } from "vitest";
import { runOf } from "../../testing/runs";
import { browserArchive, namedPieces } from "./archive";

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
        expect(await archive.save(runOf(["▁cat"]))).toBe(false);
        await archive.remove("run");
      } finally {
        Reflect.deleteProperty(globalThis, "indexedDB");
        vi.unstubAllGlobals();
      }
    });
  }
});
