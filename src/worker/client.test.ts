import { expose } from "comlink";
import { describe, expect, it, vi } from "vitest";
import { SourceError } from "../delivery/sources";
import { MissingFileError } from "../delivery/store/errors";
import { CancelledError, SettingsError } from "../flow/errors";
import type { Paths } from "../flow/paths";
import type { SamplerSettings } from "../flow/settings";
import type { Backend, LoadedModel, LoadRequest, RunResult } from "../run/api";
import { NoModelError } from "../run/errors";
import { GpuMemoryError } from "../runtime/gpu/errors";
import { DeviceLostError, OutOfMemoryError } from "../runtime/runtime";
import { SelfTestError } from "../runtime/selfTest";
import { NoWebGpuError } from "../runtime/webgpu";
import { createEngine } from "./client";
import { EngineCrashedError } from "./errors";
import type { Handle, WorkerApi } from "./protocol";

const request = { baseUrl: "models/fake/", backend: "wasm" } as const;
const settings = {} as SamplerSettings;
const done: RunResult = { status: "done", tokens: new Int32Array(), text: "", seconds: 1 };
const never = () => new Promise<never>(() => {});
const lostGpu = () => Promise.reject(new DeviceLostError("The GPU was lost.", "Load again."));

const model = (backend: Backend) => ({ backend }) as LoadedModel;

/** A worker in this thread: a message channel with `api` at its far end. */
function fakeWorker(api: Partial<WorkerApi>) {
  const { port1, port2 } = new MessageChannel();
  const load = async (_: Handle, { backend }: LoadRequest) => model(backend as Backend);
  expose({ load, hold: async () => false, watch: never, ...api }, port1);
  port2.start();
  const errors = new EventTarget();
  return {
    postMessage: port2.postMessage.bind(port2),
    addEventListener: (type: string, listener: EventListener) =>
      type === "error" ? errors.addEventListener(type, listener) : port2.addEventListener(type, listener),
    removeEventListener: port2.removeEventListener.bind(port2),
    terminate: vi.fn(() => port1.close()),
    crash: (message: string) => errors.dispatchEvent(Object.assign(new Event("error"), { message })),
  };
}

/** A client whose workers, in order, speak to these. */
function clientOf(...apis: Partial<WorkerApi>[]) {
  const workers = apis.map(fakeWorker);
  const startWorker = vi.fn(() => workers[startWorker.mock.calls.length - 1] as unknown as Worker);
  return { client: createEngine(startWorker, undefined), workers, startWorker };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

describe("createEngine", () => {
  it("starts its worker with the first load and keeps it", async () => {
    const { client, startWorker } = clientOf({});
    expect(startWorker).not.toHaveBeenCalled();
    await client.load(request, () => {});
    await client.load(request, () => {});
    expect(startWorker).toHaveBeenCalledOnce();
    client.terminate();
  });

  it("gives another model another worker, for the memory of the first is free only then", async () => {
    const { client, workers, startWorker } = clientOf({ generate: never }, {});
    const lost = vi.fn();
    client.onLost(lost);
    await client.load(request, () => {});
    const abort = new AbortController();
    const ended = expect(client.generate({ settings }, () => {}, abort.signal)).rejects.toThrow(CancelledError);
    await settled();
    // Who wants another model wants no more of this one, and need not wait for its pass.
    abort.abort();
    await client.load({ ...request, baseUrl: "models/other/" }, () => {});
    await ended;
    expect(startWorker).toHaveBeenCalledTimes(2);
    expect(workers[0]?.terminate).toHaveBeenCalled();
    expect(lost).not.toHaveBeenCalled();
    client.terminate();
  });

  it("writes out what others asked for before it turns to another model, and what they ask for after it with that", async () => {
    const told: string[] = [];
    let finish: (result: RunResult) => void = () => {};
    const apis = ["first", "second"].map((name) => ({
      load: async () => {
        told.push(`${name} loaded`);
        return model("wasm");
      },
      generate: () => {
        told.push(`${name} begins`);
        return new Promise<RunResult>((resolve) => {
          finish = resolve;
        });
      },
    }));
    const { client, workers } = clientOf(...apis);
    await client.load(request, () => {});
    const before = client.generate({ settings }, () => {});
    const loading = client.load({ ...request, baseUrl: "models/other/" }, () => {});
    const after = client.generate({ settings }, () => {});
    await vi.waitFor(() => expect(told).toEqual(["first loaded", "first begins"]));
    expect(workers[0]?.terminate).not.toHaveBeenCalled();
    finish(done);
    expect(await before).toEqual(done);
    await loading;
    expect(workers[0]?.terminate).toHaveBeenCalled();
    await vi.waitFor(() => expect(told).toEqual(["first loaded", "first begins", "second loaded", "second begins"]));
    finish(done);
    expect(await after).toEqual(done);
    client.terminate();
  });

  it("ends one request of several, by its own handle", async () => {
    const begun: Handle[] = [];
    const cancelled: Handle[] = [];
    const ends = new Map<Handle, (result: RunResult) => void>();
    const generate = (handle: Handle) =>
      new Promise<RunResult>((resolve) => {
        begun.push(handle);
        ends.set(handle, resolve);
      });
    const cancel = async (handle: Handle) => {
      cancelled.push(handle);
      ends.get(handle)?.({ ...done, status: "cancelled" });
    };
    const { client } = clientOf({ generate, cancel });
    await client.load(request, () => {});
    const aborts = [1, 2].map(() => new AbortController());
    const runs = aborts.map(({ signal }) => client.generate({ settings }, () => {}, signal));
    await vi.waitFor(() => expect(begun).toHaveLength(2));
    aborts[1]?.abort();
    expect((await runs[1])?.status).toBe("cancelled");
    expect(cancelled).toEqual([begun[1]]);
    ends.get(begun[0] as Handle)?.(done);
    expect(await runs[0]).toEqual(done);
    client.terminate();
  });

  it("reads frames of a run in a request of its own", async () => {
    const asked: unknown[] = [];
    const { client } = clientOf({
      read: async (handle, request, onEvent) => {
        asked.push(request);
        await onEvent({ type: "recall", done: handle, total: 9 });
        if (request.steps.length === 0) throw new SettingsError("No frame.", "Ask for one.");
      },
      cancel: async (handle) => void asked.push(handle),
    });
    await client.load(request, () => {});
    const told: unknown[] = [];
    await client.read({ settings, steps: [3, 4] }, (event) => told.push(event));
    expect(asked).toEqual([{ settings, steps: [3, 4] }]);
    expect(told).toEqual([{ type: "recall", done: expect.any(Number), total: 9 }]);
    await expect(client.read({ settings, steps: [] }, () => {})).rejects.toThrow(SettingsError);
    client.terminate();
  });

  it("finds the paths of a run in a request of its own", async () => {
    const found: Paths = { basis: "run", length: 1, holds: Int16Array.of(1, 2), expects: Int16Array.of(1, 2) };
    const { client } = clientOf({
      paths: async (handle, _recipe, frames, onEvent) => {
        await onEvent({ type: "recall", done: handle, total: frames });
        return found;
      },
    });
    await client.load(request, () => {});
    const told: unknown[] = [];
    expect(await client.paths({ settings }, 9, (event) => told.push(event))).toEqual(found);
    expect(told).toEqual([{ type: "recall", done: expect.any(Number), total: 9 }]);
    client.terminate();
  });

  it("does not begin what is ended while a model loads for it", async () => {
    const generate = vi.fn(async () => done);
    const { client } = clientOf({ load: never, generate });
    client.load(request, () => {}).catch(() => {});
    const abort = new AbortController();
    const running = client.generate({ settings }, () => {}, abort.signal);
    abort.abort();
    expect((await running).status).toBe("cancelled");
    expect(generate).not.toHaveBeenCalled();
    client.terminate();
  });

  it("resolves addresses on the page, for the worker lies elsewhere", async () => {
    const load = vi.fn(async (_: Handle, _request: LoadRequest): Promise<LoadedModel> => ({}) as LoadedModel);
    const { client } = clientOf({ load });
    await client.load(request, () => {});
    expect(load.mock.calls[0]?.[1].baseUrl).toBe("http://localhost/models/fake/");
    client.terminate();
  });

  it("refuses an address that is none by rejecting, as it refuses all else", async () => {
    const { client, startWorker } = clientOf({});
    const loading = client.load({ ...request, baseUrl: "https://" }, () => {});
    await expect(loading).rejects.toThrow(SourceError);
    expect(startWorker).not.toHaveBeenCalled();
  });

  it("names the want of a model before anything is loaded", async () => {
    const { client } = clientOf({});
    await expect(client.generate({ settings }, () => {})).rejects.toThrow(NoModelError);
    await client.dispose();
  });

  it("rejects what is open when it is ended", async () => {
    const { client } = clientOf({ generate: never });
    await client.load(request, () => {});
    const running = client.generate({ settings }, () => {});
    client.terminate();
    await expect(running).rejects.toThrow(CancelledError);
  });

  describe.each(["terminate", "dispose"] as const)("ended by %s", (end) => {
    it("loads nothing more that waited for a run, and what is asked for later", async () => {
      let stop: (result: RunResult) => void = () => {};
      const generate = () =>
        new Promise<RunResult>((resolve) => {
          stop = resolve;
        });
      const dispose = async () => stop({ ...done, status: "cancelled" });
      const load = vi.fn(async () => model("wasm"));
      const { client, startWorker } = clientOf({ load, generate, dispose }, { load });
      await client.load(request, () => {});
      const running = client.generate({ settings }, () => {}).catch(() => {});
      const other = { ...request, baseUrl: "models/other/" };
      const loading = expect(client.load(other, () => {})).rejects.toThrow(CancelledError);
      const waiting = expect(client.generate({ settings }, () => {})).rejects.toThrow(CancelledError);
      await settled();
      await client[end]();
      await Promise.all([running, loading, waiting]);
      await settled();
      expect(load).toHaveBeenCalledOnce();
      expect(startWorker).toHaveBeenCalledOnce();
      await client.load(other, () => {});
      expect(load).toHaveBeenCalledTimes(2);
      client.terminate();
    });

    it("cancels a run that waited for the first load", async () => {
      const { client } = clientOf({ load: never, dispose: async () => {} });
      client.load(request, () => {}).catch(() => {});
      const waiting = expect(client.generate({ settings }, () => {})).rejects.toThrow(CancelledError);
      await settled();
      await client[end]();
      await waiting;
      client.terminate();
    });
  });

  it("rejects what was open when the worker crashes, and the next run loads again in another", async () => {
    const load = vi.fn(async (_: Handle, _request: LoadRequest) => model("wasm"));
    const { client, workers } = clientOf({ generate: never }, { load, generate: async () => done });
    await client.load(request, () => {});
    const told = vi.fn();
    client.onLost(told);
    const running = client.generate({ settings }, () => {});
    workers[0]?.crash("out of memory");
    await expect(running).rejects.toThrow(EngineCrashedError);
    await expect(running).rejects.toThrow("out of memory");
    expect(workers[0]?.terminate).toHaveBeenCalled();
    expect(told).toHaveBeenCalledOnce();
    expect(await client.generate({ settings }, () => {})).toEqual(done);
    expect(load.mock.calls[0]?.[1]).toEqual({ ...request, baseUrl: "http://localhost/models/fake/" });
    client.terminate();
  });

  it("ends a worker that does not stop when it is told to, and the run is cancelled, not failed", async () => {
    const workers = [fakeWorker({ generate: never, cancel: never }), fakeWorker({ generate: async () => done })];
    const [first] = workers;
    const client = createEngine(() => workers.shift() as unknown as Worker, undefined, 10);
    await client.load(request, () => {});
    const lost = vi.fn();
    client.onLost(lost);
    const abort = new AbortController();
    const running = client.generate({ settings }, () => {}, abort.signal);
    await settled();
    abort.abort();
    await expect(running).rejects.toThrow(CancelledError);
    expect(first?.terminate).toHaveBeenCalled();
    expect(lost).toHaveBeenCalledOnce();
    expect(await client.generate({ settings }, () => {})).toEqual(done);
    client.terminate();
  });

  it("leaves a worker alone that stops in time", async () => {
    let stop: (result: RunResult) => void = () => {};
    const generate = () =>
      new Promise<RunResult>((resolve) => {
        stop = resolve;
      });
    const cancel = async () => stop({ ...done, status: "cancelled" });
    const worker = fakeWorker({ generate, cancel });
    const client = createEngine(() => worker as unknown as Worker, undefined, 200);
    await client.load(request, () => {});
    const abort = new AbortController();
    const running = client.generate({ settings }, () => {}, abort.signal);
    await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort();
    expect((await running).status).toBe("cancelled");
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(worker.terminate).not.toHaveBeenCalled();
    client.terminate();
  });

  it("hears of a worker that closes itself, by the lock that it held", async () => {
    const worker = fakeWorker({ hold: async () => true });
    let free: () => void = () => {};
    const asked = vi.fn((_name: string, _options: LockOptions, granted: () => void) => {
      return new Promise<void>((resolve) => {
        free = () => resolve(granted());
      });
    });
    const locks = { request: asked } as unknown as LockManager;
    const client = createEngine(() => worker as unknown as Worker, locks);
    await client.load(request, () => {});
    await vi.waitFor(() => expect(asked).toHaveBeenCalled());
    const lost = new Promise((resolve) => client.onLost(resolve));
    free();
    expect(await lost).toBeInstanceOf(EngineCrashedError);
    expect(worker.terminate).toHaveBeenCalled();
  });

  it("hears of a GPU that is lost while nothing runs", async () => {
    const { client, workers } = clientOf({ watch: lostGpu }, {});
    const lost = new Promise((resolve) => client.onLost(resolve));
    await client.load({ ...request, backend: "webgpu" }, () => {});
    expect(await lost).toBeInstanceOf(DeviceLostError);
    expect(workers[0]?.terminate).toHaveBeenCalled();
    expect((await client.restore(() => {})).backend).toBe("webgpu");
    client.terminate();
  });

  it("gives a GPU up for wasm when it is lost again before a run was finished on it", async () => {
    const failing = { generate: lostGpu };
    const onGpu = { ...request, backend: "webgpu" } as const;
    const { client, workers } = clientOf(failing, { generate: async () => done }, failing, {});
    await client.load(onGpu, () => {});
    await expect(client.generate({ settings }, () => {})).rejects.toThrow(DeviceLostError);
    expect((await client.restore(() => {})).backend).toBe("webgpu");
    // A finished run: the GPU is trusted again.
    await client.generate({ settings }, () => {});
    workers[1]?.crash("once more");
    expect((await client.restore(() => {})).backend).toBe("webgpu");
    await expect(client.generate({ settings }, () => {})).rejects.toThrow(DeviceLostError);
    client.terminate();

    const again = clientOf(failing, failing, {});
    await again.client.load(onGpu, () => {});
    for (const backend of ["webgpu", "wasm"]) {
      await expect(again.client.generate({ settings }, () => {})).rejects.toThrow(DeviceLostError);
      expect((await again.client.restore(() => {})).backend).toBe(backend);
    }
    again.client.terminate();
  });

  it("restores in wasm where the GPU does not come back, but not where the model cannot be had", async () => {
    for (const reason of [new NoWebGpuError("None.", ""), new SelfTestError("x_hat is off.", "")]) {
      const load = async (_: Handle, { backend }: LoadRequest) => {
        if (backend !== "wasm") throw reason;
        return model("wasm");
      };
      const { client } = clientOf({ generate: lostGpu }, { load });
      await client.load({ ...request, backend: "webgpu" }, () => {});
      await expect(client.generate({ settings }, () => {})).rejects.toThrow(DeviceLostError);
      expect((await client.restore(() => {})).backend).toBe("wasm");
      client.terminate();
    }

    const missing = vi.fn(() => Promise.reject(new MissingFileError("No weights.", "")));
    const other = clientOf({ generate: lostGpu }, { load: missing });
    await other.client.load({ ...request, backend: "auto" }, () => {});
    await expect(other.client.generate({ settings }, () => {})).rejects.toThrow(DeviceLostError);
    await expect(other.client.restore(() => {})).rejects.toThrow(MissingFileError);
    expect(missing).toHaveBeenCalledOnce();
    other.client.terminate();
  });

  it("throws a worker away whose memory or runtime failed, and keeps one that only refused", async () => {
    const faults = [
      new SettingsError("steps is 0.", ""),
      new GpuMemoryError("No room.", ""),
      new OutOfMemoryError("No memory.", ""),
    ];
    const { client, workers } = clientOf({ generate: () => Promise.reject(faults.shift()) }, {});
    await client.load(request, () => {});
    await expect(client.generate({ settings }, () => {})).rejects.toThrow(SettingsError);
    await expect(client.generate({ settings }, () => {})).rejects.toThrow(GpuMemoryError);
    expect(workers[0]?.terminate).not.toHaveBeenCalled();
    await expect(client.generate({ settings }, () => {})).rejects.toThrow(OutOfMemoryError);
    expect(workers[0]?.terminate).toHaveBeenCalled();
    client.terminate();
  });

  it.each([
    new CancelledError(),
    new MissingFileError("No weights.", ""),
  ])("restores again after a restore that ended with %s", async (fault) => {
    const load = vi.fn<WorkerApi["load"]>().mockRejectedValueOnce(fault).mockResolvedValue(model("wasm"));
    const { client } = clientOf({ generate: lostGpu }, { load, generate: async () => done });
    await client.load(request, () => {});
    await expect(client.generate({ settings }, () => {})).rejects.toThrow(DeviceLostError);
    await expect(client.restore(() => {})).rejects.toThrow(fault.message);
    expect(await client.generate({ settings }, () => {})).toEqual(done);
    expect(load).toHaveBeenCalledTimes(2);
    client.terminate();
  });

  describe("a restore that several wait for", () => {
    /** An engine that is lost, and comes back when `finish` is called. */
    async function lostEngine() {
      let finish: () => void = () => {};
      const load = vi.fn<WorkerApi["load"]>(
        (_, __, onProgress) =>
          new Promise((resolve) => {
            onProgress({ phase: "manifest" });
            finish = () => resolve(model("wasm"));
          }),
      );
      const cancel = vi.fn(async () => {});
      const generate = vi.fn(async () => done);
      const { client } = clientOf({ generate: lostGpu }, { load, cancel, generate });
      await client.load(request, () => {});
      await expect(client.generate({ settings }, () => {})).rejects.toThrow(DeviceLostError);
      return { client, load, cancel, generate, finish: () => finish() };
    }

    it("is one, and their runs begin after it", async () => {
      const { client, load, generate, finish } = await lostEngine();
      const runs = [1, 2].map(() => client.generate({ settings }, () => {}));
      const told = vi.fn();
      const restored = client.restore(told);
      await vi.waitFor(() => expect(told).toHaveBeenCalledWith({ phase: "manifest" }));
      expect(generate).not.toHaveBeenCalled();
      finish();
      expect(await Promise.all(runs)).toEqual([done, done]);
      expect(await restored).toEqual(model("wasm"));
      expect(load).toHaveBeenCalledOnce();
      client.terminate();
    });

    it("is cancelled when none does any more", async () => {
      const { client, load, cancel } = await lostEngine();
      const aborts = [1, 2].map(() => new AbortController());
      const runs = aborts.map(({ signal }) => client.generate({ settings }, () => {}, signal));
      await vi.waitFor(() => expect(load).toHaveBeenCalled());
      aborts[0]?.abort();
      expect((await runs[0])?.status).toBe("cancelled");
      await settled();
      expect(cancel).not.toHaveBeenCalled();
      aborts[1]?.abort();
      expect((await runs[1])?.status).toBe("cancelled");
      await vi.waitFor(() => expect(cancel).toHaveBeenCalledOnce());
      client.terminate();
    });

    it("is waited for between the GPU, which does not come back, and wasm", async () => {
      const { client, workers } = clientOf({ generate: lostGpu }, { load: lostGpu }, { generate: async () => done });
      await client.load({ ...request, backend: "webgpu" }, () => {});
      await expect(client.generate({ settings }, () => {})).rejects.toThrow(DeviceLostError);
      let running: Promise<RunResult> | undefined;
      workers[1]?.terminate.mockImplementation(() => {
        running = client.generate({ settings }, () => {});
      });
      expect((await client.restore(() => {})).backend).toBe("wasm");
      expect(await running).toEqual(done);
      client.terminate();
    });
  });

  it("refuses a request that cannot be sent to the worker, and leaves the others alone", async () => {
    let finish: (result: RunResult) => void = () => {};
    const generate = vi.fn(
      () =>
        new Promise<RunResult>((resolve) => {
          finish = resolve;
        }),
    );
    const { client, workers } = clientOf({ generate });
    await client.load(request, () => {});
    const running = client.generate({ settings }, () => {});
    // As frameworks hand out what they watch.
    const watched = { settings: new Proxy(settings, {}) };
    await expect(client.generate(watched, () => {})).rejects.toThrow(SettingsError);
    await expect(client.paths(watched, 1, () => {})).rejects.toThrow("cannot be sent");
    await vi.waitFor(() => expect(generate).toHaveBeenCalledOnce());
    expect(workers[0]?.terminate).not.toHaveBeenCalled();
    finish(done);
    expect(await running).toEqual(done);
    client.terminate();
  });

  it("lets the frames of a run arrive before it ends by the loss of its GPU", async () => {
    const order: string[] = [];
    let lose: (error: Error) => void = () => {};
    const watch = () =>
      new Promise<void>((_, reject) => {
        lose = reject;
      });
    const generate: WorkerApi["generate"] = async (_, _request, onEvent) => {
      lose(new DeviceLostError("The GPU was lost.", ""));
      await new Promise((resolve) => setTimeout(resolve, 20));
      await onEvent({ type: "start", times: [], first: 0 });
      throw new DeviceLostError("The GPU was lost.", "");
    };
    const { client } = clientOf({ watch, generate }, {});
    await client.load(request, () => {});
    await new Promise((resolve) => setTimeout(resolve, 5));
    client.onLost(() => order.push("lost"));
    const running = client.generate({ settings }, ({ type }) => order.push(type));
    await expect(running).rejects.toThrow(DeviceLostError);
    expect(order).toEqual(["start", "lost"]);
    client.terminate();
  });
});
