import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { CancelledError } from "../flow/errors";
import { Interruption, unlessAborted } from "./interruption";

describe("Interruption", () => {
  it("lets pass what comes before it", async () => {
    const interruption = new Interruption();
    expect(await interruption.or(Promise.resolve(3))).toBe(3);
    await expect(interruption.or(Promise.reject(new Error("own fault")))).rejects.toThrow("own fault");
  });

  it("ends all that waits, and all that comes after", async () => {
    const interruption = new Interruption();
    const waits = [1, 2].map(() => interruption.or(new Promise(() => {})));
    interruption.happen(new Error("lost"));
    interruption.happen(new Error("lost again"));
    for (const wait of waits) await expect(wait).rejects.toThrow(/^lost$/);
    await expect(interruption.or(Promise.resolve(3))).rejects.toThrow(/^lost$/);
    await expect(interruption.or(Promise.reject(new Error("later")))).rejects.toThrow(/^lost$/);
  });

  it("keeps nothing of what it let pass", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const interruption = new Interruption();
    const results: WeakRef<object>[] = [];
    for (let i = 0; i < 3; i++) {
      results.push(new WeakRef(await interruption.or(Promise.resolve(new Float32Array(1000)))));
    }
    await new Promise((resolve) => setTimeout(resolve));
    collect();
    expect(results.filter((result) => result.deref() !== undefined)).toHaveLength(0);
    await interruption.or(Promise.resolve());
  });
});

describe("unlessAborted", () => {
  it("waits for the task, and for no longer than the signal lets it", async () => {
    const abort = new AbortController();
    await unlessAborted(undefined, Promise.resolve());
    await unlessAborted(abort.signal, Promise.resolve());
    await expect(unlessAborted(abort.signal, Promise.reject(new Error("own fault")))).rejects.toThrow("own fault");
    const wait = unlessAborted(abort.signal, new Promise(() => {}));
    abort.abort();
    await expect(wait).rejects.toThrow(CancelledError);
    await expect(unlessAborted(abort.signal, Promise.reject(new Error("late")))).rejects.toThrow(CancelledError);
  });
});
