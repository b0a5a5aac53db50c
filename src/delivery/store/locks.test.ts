import { afterEach, describe, expect, it, vi } from "vitest";
import { holdForLife, whileLocked } from "./locks";

/** What a browser may give in place of a lock manager. Each keeps its locks to itself. */
const denials: Record<string, object> = {
  "has none": {},
  "throws where it is asked for one": {
    get locks(): never {
      throw new DOMException("The operation is insecure.", "SecurityError");
    },
  },
  "refuses every lock": {
    locks: { request: async () => Promise.reject(new DOMException("The request was denied.", "SecurityError")) },
  },
  "throws at every request": {
    locks: {
      request: () => {
        throw new TypeError("Illegal invocation");
      },
    },
  },
  "says that the page is not active": {
    locks: { request: async () => Promise.reject(new DOMException("not fully active", "InvalidStateError")) },
  },
};

/** Locks that are given at once, or are taken. */
const locksOf = (isFree: boolean) => ({
  locks: {
    request: (_name: string, options: LockOptions, task: (lock: unknown) => Promise<void>) =>
      isFree || options.ifAvailable
        ? task(isFree ? {} : null)
        : new Promise((_, reject) =>
            options.signal?.addEventListener("abort", () => reject(new DOMException("", "AbortError"))),
          ),
  },
});

afterEach(() => vi.unstubAllGlobals());

describe("a browser's locks", () => {
  for (const [how, navigator] of Object.entries(denials)) {
    it(`where the browser ${how}, what they would guard is done without, once`, async () => {
      vi.stubGlobal("navigator", navigator);
      const task = vi.fn(async () => {});
      await whileLocked("a", new AbortController().signal, task);
      expect(task).toHaveBeenCalledOnce();
      await whileLocked("a", "ifFree", task);
      expect(task).toHaveBeenCalledTimes(2);
      expect(await holdForLife("b")).toBe(false);
    });

    it(`where the browser ${how}, what goes wrong inside is told as it is`, async () => {
      vi.stubGlobal("navigator", navigator);
      const task = vi.fn(async () => {
        throw new RangeError("of the task's own");
      });
      await expect(whileLocked("a", new AbortController().signal, task)).rejects.toThrow("of the task's own");
      expect(task).toHaveBeenCalledOnce();
    });
  }

  it("what goes wrong under a lock is not tried again without", async () => {
    vi.stubGlobal("navigator", locksOf(true));
    const task = vi.fn(async () => {
      throw new RangeError("of the task's own");
    });
    await expect(whileLocked("a", new AbortController().signal, task)).rejects.toThrow("of the task's own");
    expect(task).toHaveBeenCalledOnce();
  });

  it("a wait that was ended leaves the task undone, and so does a lock that is taken", async () => {
    vi.stubGlobal("navigator", locksOf(false));
    const task = vi.fn(async () => {});
    const abort = new AbortController();
    const waiting = whileLocked("a", abort.signal, task);
    abort.abort();
    await expect(waiting).rejects.toThrow();
    await whileLocked("a", "ifFree", task);
    expect(task).not.toHaveBeenCalled();
  });
});
