import { expose } from "comlink";
import { describe, expect, it, vi } from "vitest";
import { CancelledError } from "../flow/errors";
import type { SamplerSettings } from "../flow/settings";
import { DeviceLostError } from "../model/runtime";
import { createEngine } from "./client";
import { EngineCrashedError, NoModelError } from "./errors";
import type { EngineApi, LoadedModel, LoadRequest } from "./protocol";

const request = { baseUrl: "models/fake/", backend: "wasm" } as const;
const settings = {} as SamplerSettings;

/** A worker in this thread: a message channel with `api` at its far end. */
function fakeWorker(api: Partial<EngineApi>) {
  const { port1, port2 } = new MessageChannel();
  expose({ load: async (): Promise<LoadedModel> => ({}) as LoadedModel, ...api }, port1);
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
function clientOf(...apis: Partial<EngineApi>[]) {
  const workers = apis.map(fakeWorker);
  const startWorker = vi.fn(() => workers[startWorker.mock.calls.length - 1] as unknown as Worker);
  return { client: createEngine(startWorker), workers, startWorker };
}

const never = () => new Promise<never>(() => {});

describe("createEngine", () => {
  it("starts its worker with the first load and keeps it", async () => {
    const { client, startWorker } = clientOf({});
    expect(startWorker).not.toHaveBeenCalled();
    await client.load(request, () => {});
    await client.load(request, () => {});
    expect(startWorker).toHaveBeenCalledOnce();
    client.terminate();
  });

  it("resolves addresses on the page, for the worker lies elsewhere", async () => {
    const load = vi.fn(async (_: LoadRequest): Promise<LoadedModel> => ({}) as LoadedModel);
    const { client } = clientOf({ load });
    await client.load(request, () => {});
    expect(load.mock.calls[0]?.[0].baseUrl).toBe("http://localhost/models/fake/");
    client.terminate();
  });

  it("names the want of a model before anything is loaded", async () => {
    const { client } = clientOf({});
    await expect(client.generate(settings, () => {})).rejects.toThrow(NoModelError);
    await client.cancel();
    await client.dispose();
  });

  it("rejects what is open when it is ended", async () => {
    const { client } = clientOf({ generate: never });
    await client.load(request, () => {});
    const running = client.generate(settings, () => {});
    client.terminate();
    await expect(running).rejects.toThrow(CancelledError);
  });

  it("rejects what was open when the worker crashes, and starts another for the next load", async () => {
    const { client, workers, startWorker } = clientOf({ generate: never }, {});
    await client.load(request, () => {});
    const running = client.generate(settings, () => {});
    workers[0]?.crash("out of memory");
    await expect(running).rejects.toThrow(EngineCrashedError);
    await expect(running).rejects.toThrow("out of memory");
    expect(workers[0]?.terminate).toHaveBeenCalled();
    await expect(client.generate(settings, () => {})).rejects.toThrow(NoModelError);
    await client.load(request, () => {});
    expect(startWorker).toHaveBeenCalledTimes(2);
    client.terminate();
  });

  it("throws a worker away whose GPU is lost", async () => {
    const generate = () => Promise.reject(new DeviceLostError("The GPU was lost.", "Load again."));
    const { client, workers, startWorker } = clientOf({ generate }, {});
    await client.load(request, () => {});
    await expect(client.generate(settings, () => {})).rejects.toThrow(DeviceLostError);
    expect(workers[0]?.terminate).toHaveBeenCalled();
    await client.load(request, () => {});
    expect(startWorker).toHaveBeenCalledTimes(2);
    client.terminate();
  });
});
