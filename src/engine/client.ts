import { proxy, type Remote, wrap } from "comlink";
import { CancelledError } from "../flow/errors";
import { DeviceLostError } from "../model/runtime";
import { carryErrors } from "./crossing";
import { EngineCrashedError, NoModelError } from "./errors";
import type { EngineApi, LoadedModel, LoadProgress, LoadRequest, RunEvent, RunResult } from "./protocol";

/** The engine as the page holds it. Everything it rejects with is a named error of the worker, of its own class. */
export interface EngineClient extends EngineApi {
  /** Ends the worker at once; calls still open reject with `CancelledError`. A later `load` starts a new worker. */
  terminate(): void;
}

/** A running worker and the calls that wait for it. */
interface Line {
  readonly worker: Worker;
  /** Held here for as long as the worker lives: Comlink closes the line when its proxy is garbage-collected. */
  readonly remote: Remote<EngineApi>;
  /** Rejects when the worker will never answer again. */
  readonly broken: Promise<never>;
  readonly cut: (reason: Error) => void;
}

let errorsCarried = false;

/**
 * Makes a client; its worker starts with the first load. A worker that crashed or lost its GPU is thrown away, and the
 * next load starts a fresh one.
 */
export function createEngine(startWorker: () => Worker = startEngineWorker): EngineClient {
  if (!errorsCarried) carryErrors();
  errorsCarried = true;
  let line: Line | undefined;

  const drop = (dropped: Line, reason: Error) => {
    if (line === dropped) line = undefined;
    dropped.cut(reason);
    dropped.worker.terminate();
  };

  const call = async <T>(current: Line, task: (remote: Remote<EngineApi>) => Promise<T>): Promise<T> => {
    try {
      return await Promise.race([task(current.remote), current.broken]);
    } catch (error) {
      // Nothing in that worker can use the GPU again; a new worker can.
      if (error instanceof DeviceLostError) drop(current, error);
      throw error;
    }
  };

  return {
    load: async (request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> => {
      line ??= openLine(startWorker(), drop);
      // Inside the worker a relative address would mean another place than on the page.
      const baseUrl = new URL(request.baseUrl, pageAddress()).href;
      return call(line, (remote) => remote.load({ ...request, baseUrl }, callback(onProgress)));
    },
    generate: async (settings, onEvent: (event: RunEvent) => void): Promise<RunResult> => {
      if (!line) throw new NoModelError("There is no model to run yet.", "Load a model first.");
      return call(line, (remote) => remote.generate(settings, callback(onEvent)));
    },
    cancel: async () => {
      if (line) await call(line, (remote) => remote.cancel());
    },
    dispose: async () => {
      if (line) await call(line, (remote) => remote.dispose());
    },
    terminate: () => {
      if (line) drop(line, new CancelledError("The engine was ended.", "Load the model again to go on."));
    },
  };
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

function openLine(worker: Worker, drop: (line: Line, reason: Error) => void): Line {
  let cut: (reason: Error) => void = () => {};
  const broken = new Promise<never>((_, reject) => {
    cut = reject;
  });
  // A worker that ends between two calls has nobody waiting.
  broken.catch(() => {});
  const line: Line = { worker, remote: wrap<EngineApi>(worker), broken, cut };
  worker.addEventListener("error", (event) => {
    const what = event.message ? `: ${event.message}` : " or could not be loaded";
    drop(line, new EngineCrashedError(`The engine crashed${what}.`, "Load the model again, or reload the page."));
  });
  return line;
}
