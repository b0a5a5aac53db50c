import { describe, expect, it, vi } from "vitest";
import { CancelledError } from "../flow/errors";
import type { LoadedModel } from "../run/api";
import { Broker, type SharedEngine, type Turn } from "./broker";

const A = { baseUrl: "http://x/a/", backend: "auto" } as const;
const B = { baseUrl: "http://x/b/", backend: "auto" } as const;

/** An engine that loads at once, a broker over it, and elements that ask it. */
function page(patience = 10_000) {
  const loads: string[] = [];
  let lose = (_: Error) => {};
  let loaded = "";
  const engine: SharedEngine = {
    load: async ({ baseUrl }) => {
      loaded = baseUrl.at(-2) ?? "";
      loads.push(loaded);
      return { manifest: { name: baseUrl } } as LoadedModel;
    },
    restore: vi.fn(async () => {
      loads.push(loaded);
      return { manifest: { name: loaded } } as LoadedModel;
    }),
    generate: vi.fn(),
    paths: vi.fn(),
    onLost: (listener) => {
      lose = listener;
      return () => true;
    },
    terminate: vi.fn(),
  };
  const broker = new Broker(engine, patience);
  const order: string[] = [];
  /** Asks for a turn that lasts until it is told to end, or aborted. */
  const ask = (owner: object, name: string, model: Turn<string>["model"] = A) => {
    let end = () => {};
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    const abort = new AbortController();
    const ahead: number[] = [];
    const task = async (_: LoadedModel, __: SharedEngine, signal: AbortSignal) => {
      order.push(name);
      signal.addEventListener("abort", end);
      await over;
      return signal.aborted ? `${name} stopped` : name;
    };
    const result = broker.use(owner, {
      model,
      signal: abort.signal,
      onAhead: (count) => ahead.push(count),
      onProgress: () => {},
      task,
    });
    result.catch(() => {});
    return { end, abort, ahead, result };
  };
  return { broker, engine, loads, order, ask, lose: () => lose(new Error("lost")) };
}

const soon = () => new Promise((resolve) => setTimeout(resolve));

describe("one engine for all elements of a page (point 3)", () => {
  it("serves them in the order in which they ask, and tells how many come before", async () => {
    const { ask, order, loads } = page();
    const turns = [{}, {}, {}].map((owner, i) => ask(owner, `${i}`));
    await soon();
    expect(order).toEqual(["0"]);
    expect(turns.map(({ ahead }) => ahead.at(-1))).toEqual([0, 1, 2]);
    turns[0]?.end();
    await soon();
    expect(order).toEqual(["0", "1"]);
    expect(turns[2]?.ahead.at(-1)).toBe(1);
    turns[1]?.end();
    turns[2]?.end();
    expect(await Promise.all(turns.map(({ result }) => result))).toEqual(["0", "1", "2"]);
    expect(loads).toEqual(["a"]);
  });

  it("lets the newest request of one element end its own, and never another's", async () => {
    const { ask, order } = page();
    const [first, second] = [{}, {}];
    const old = ask(first, "old");
    const other = ask(second, "other");
    await soon();
    const fresh = ask(first, "new");
    expect(await old.result).toBe("old stopped");
    await soon();
    expect(order).toEqual(["old", "other"]);
    other.end();
    await soon();
    fresh.end();
    expect(await other.result).toBe("other");
    expect(await fresh.result).toBe("new");
  });

  it("gives what is asked anew the place of what waited", async () => {
    const { ask, order } = page();
    const [first, second, third] = [{}, {}, {}];
    const running = ask(first, "running");
    const waiting = ask(second, "waiting");
    ask(third, "last");
    await soon();
    ask(second, "anew");
    await expect(waiting.result).rejects.toThrow(CancelledError);
    running.end();
    await soon();
    expect(order).toEqual(["running", "anew"]);
  });

  it("passes by what is aborted while it waits", async () => {
    const { ask, order } = page();
    const running = ask({}, "running");
    const gone = ask({}, "gone");
    const last = ask({}, "last");
    await soon();
    gone.abort.abort();
    await expect(gone.result).rejects.toThrow(CancelledError);
    expect(last.ahead.at(-1)).toBe(1);
    running.end();
    await soon();
    expect(order).toEqual(["running", "last"]);
  });

  it("loads another model between two turns only, and none that it has", async () => {
    const { ask, loads, lose } = page();
    const turns = [ask({}, "1", A), ask({}, "2", B), ask({}, "3", B)];
    await soon();
    expect(loads).toEqual(["a"]);
    for (const { end } of turns) {
      end();
      await soon();
    }
    expect(loads).toEqual(["a", "b"]);
    lose();
    ask({}, "4", B);
    await soon();
    expect(loads).toEqual(["a", "b", "b"]);
  });

  it("restores a model that was lost, again and again, so that the engine can give up on its GPU", async () => {
    const { engine, ask, loads, lose } = page();
    ask({}, "1", A).end();
    await soon();
    vi.mocked(engine.restore).mockRejectedValueOnce(new Error("gone"));
    for (const name of ["2", "3", "4"]) {
      lose();
      ask({}, name, A).end();
      await soon();
    }
    expect(engine.restore).toHaveBeenCalledTimes(3);
    expect(loads).toEqual(["a", "a", "a"]);
    lose();
    ask({}, "5", B).end();
    await soon();
    expect(engine.restore).toHaveBeenCalledTimes(3);
    expect(loads.at(-1)).toBe("b");
  });

  it("goes on after a task that fails", async () => {
    const { broker, ask, order } = page();
    const fault = broker.use(
      {},
      {
        model: A,
        signal: new AbortController().signal,
        onAhead: () => {},
        onProgress: () => {},
        task: () => Promise.reject(new Error("fault")),
      },
    );
    ask({}, "next");
    await expect(fault).rejects.toThrow("fault");
    await soon();
    expect(order).toEqual(["next"]);
  });

  it("ends its worker when the last element has gone for good (point 6)", async () => {
    const { broker, engine, ask } = page(20);
    const [first, second] = [{}, {}];
    for (const owner of [first, second]) ask(owner, "x").end();
    broker.release(first);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(engine.terminate).not.toHaveBeenCalled();
    broker.release(second);
    ask(second, "back again").end();
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(engine.terminate).not.toHaveBeenCalled();
    broker.release(second);
    broker.enter(first);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(engine.terminate).not.toHaveBeenCalled();
    broker.release(first);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(engine.terminate).toHaveBeenCalledTimes(1);
  });

  it("is not kept by one that had gone when it asked (point 6)", async () => {
    const { broker, engine, ask } = page(0);
    const owner = {};
    ask(owner, "x").end();
    await soon();
    broker.release(owner);
    const late = broker.use(owner, {
      model: A,
      signal: AbortSignal.abort(),
      onAhead: () => {},
      onProgress: () => {},
      task: vi.fn(),
    });
    await expect(late).rejects.toThrow(CancelledError);
    await soon();
    expect(engine.terminate).toHaveBeenCalledTimes(1);
  });
});
