import { afterEach, describe, expect, it, vi } from "vitest";
import { persist, requireSpace, space } from "./space";

const denied = () => Promise.reject(new DOMException("The operation is insecure.", "SecurityError"));
const thrown = () => {
  throw new DOMException("The operation is insecure.", "SecurityError");
};

const denials: Record<string, object> = {
  "no storage manager": {},
  "a storage manager that may not be asked for": {
    get storage() {
      return thrown();
    },
  },
  "a storage manager without methods": { storage: {} },
  "methods that reject": { storage: { estimate: denied, persist: denied, persisted: denied } },
  "methods that throw": { storage: { estimate: thrown, persist: thrown, persisted: thrown } },
  "an estimate of nothing": { storage: { estimate: async () => ({}) } },
};

afterEach(() => vi.unstubAllGlobals());

describe("the room of a page", () => {
  it.each(Object.keys(denials))("is not known, and refuses no download, where the browser has %s", async (how) => {
    vi.stubGlobal("navigator", denials[how]);
    expect(await space()).toBeNull();
    expect(await persist()).toBe(false);
    await expect(requireSpace(1e12, true)).resolves.toBeUndefined();
  });

  it("is known where only the promise to keep it may not be asked for", async () => {
    vi.stubGlobal("navigator", { storage: { estimate: async () => ({ quota: 100, usage: 40 }), persisted: denied } });
    expect(await space()).toEqual({ freeBytes: 60, usedBytes: 40, persisted: false });
  });
});
