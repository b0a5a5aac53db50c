import { proxy } from "comlink";
import { CancelledError } from "../flow/errors";
import { DeviceLostError } from "../model/runtime";
import { SelfTestError } from "../model/selfTest";
import { browserLocks } from "../model/store/locks";
import { NoWebGpuError } from "../model/webgpu";
import { carryErrors } from "./crossing";
import { costsModel, NoModelError } from "./errors";
import { Line } from "./line";
import type { EngineClient, LoadedModel, LoadProgress, LoadRequest } from "./protocol";
import { startWorker as startNamed } from "./startWorker";

/** A GPU lost this often without a finished run between is left alone. */
const MOST_LOSSES = 2;

/** How long what was cancelled may take to stop: a pass of a large model in wasm takes seconds. */
const PATIENCE_MILLISECONDS = 10_000;

let errorsCarried = false;

/** Makes a client; its worker starts with the first load, and another after each that was lost. */
export function createEngine(
  startWorker: () => Worker = startEngineWorker,
  locks: LockManager | undefined = browserLocks(),
  patience = PATIENCE_MILLISECONDS,
): EngineClient {
  if (!errorsCarried) carryErrors();
  errorsCarried = true;
  const listeners = new Set<(reason: Error) => void>();
  let line: Line | undefined;
  /** What was loaded last, and whether it still is. */
  let last: LoadRequest | undefined;
  let isLoaded = false;
  let losses = 0;

  function openLine(): Line {
    const opened = new Line(startNamed(startWorker), locks, (reason) => {
      if (line !== opened) return;
      line = undefined;
      if (reason instanceof DeviceLostError) losses++;
      if (!isLoaded) return;
      isLoaded = false;
      for (const listener of listeners) listener(reason);
    });
    return opened;
  }

  /** A call after which nothing is left of the worker if it failed beyond mending. */
  async function call<T>(current: Line, task: Parameters<typeof current.call<T>>[0]): Promise<T> {
    try {
      return await current.call(task);
    } catch (error) {
      if (costsModel(error)) current.end(error as Error);
      throw error;
    }
  }

  async function load(request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> {
    line ??= openLine();
    const current = line;
    isLoaded = false;
    const model = await call(current, (remote) => remote.load(request, callback(onProgress)));
    isLoaded = true;
    current.watchGpu();
    return model;
  }

  async function restore(onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> {
    if (!last) throw new NoModelError("There is no model to run yet.", "Load a model first.");
    const backend = losses < MOST_LOSSES ? last.backend : "wasm";
    try {
      return await load({ ...last, backend }, onProgress);
    } catch (error) {
      if (backend === "wasm" || !isOfTheGpu(error)) throw error;
      return load({ ...last, backend: "wasm" }, onProgress);
    }
  }

  async function restored(): Promise<Line> {
    if (!line) await restore(() => {});
    // Ended again while it was restored.
    if (!line) throw new CancelledError();
    return line;
  }

  return {
    load: async (request, onProgress) => {
      // Inside the worker a relative address would mean another place than on the page.
      const wanted = { ...request, baseUrl: new URL(request.baseUrl, pageAddress()).href };
      const isAnother = isLoaded && (wanted.baseUrl !== last?.baseUrl || wanted.dtype !== last.dtype);
      last = wanted;
      losses = 0;
      if (isAnother) {
        isLoaded = false;
        // WebAssembly's memory never shrinks; only with its worker is all of a model's memory given back.
        line?.end(new CancelledError("Another model was loaded."));
      }
      return load(wanted, onProgress);
    },
    generate: async (request, onEvent) => {
      const result = await call(await restored(), (remote) => remote.generate(request, callback(onEvent)));
      if (result.status === "done") losses = 0;
      return result;
    },
    tokenize: async (text) => call(await restored(), (remote) => remote.tokenize(text)),
    cancel: async () => {
      const current = line;
      if (!current) return;
      // The worker hears of it between two passes only, and of a pass that hangs it is never heard again.
      const asked = call(current, (remote) => remote.cancel()).catch((error) => {
        if (!(error instanceof CancelledError)) throw error;
      });
      const stopped = current.settle(patience, () => new CancelledError("The engine did not stop, so it was ended."));
      await Promise.all([asked, stopped]);
    },
    dispose: async () => {
      last = undefined;
      isLoaded = false;
      if (line) await call(line, (remote) => remote.dispose());
    },
    restore,
    onLost: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    terminate: () => {
      last = undefined;
      isLoaded = false;
      line?.end(new CancelledError("The engine was ended.", "Load the model again to go on."));
    },
  };
}

/** Whether wasm may do what failed: not so where the model itself cannot be had. */
function isOfTheGpu(error: unknown): boolean {
  return costsModel(error) || error instanceof NoWebGpuError || error instanceof SelfTestError;
}

/** A callback for the worker. What it throws is the page's own fault and is reported here, not sent to the worker. */
function callback<Report>(listener: (report: Report) => void): (report: Report) => void {
  return proxy((report: Report) => {
    try {
      listener(report);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  });
}

function startEngineWorker(): Worker {
  return new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "elf-engine" });
}

function pageAddress(): string {
  return typeof document === "undefined" ? "http://localhost/" : document.baseURI;
}
