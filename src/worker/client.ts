import { proxy, type Remote } from "comlink";
import { SourceError } from "../delivery/sources";
import { browserLocks } from "../delivery/store/locks";
import { CancelledError, SettingsError } from "../flow/errors";
import { type LoadedModel, type LoadProgress, type LoadRequest, NOT_BEGUN } from "../run/api";
import { NoModelError } from "../run/errors";
import { unlessAborted } from "../runtime/interruption";
import { DeviceLostError } from "../runtime/runtime";
import { SelfTestError } from "../runtime/selfTest";
import { NoWebGpuError } from "../runtime/webgpu";
import { Connection } from "./connection";
import { startBundled } from "./elsewhere";
import { costsModel } from "./errors";
import { carryErrors } from "./namedErrors";
import type { EngineClient, Handle, WorkerApi } from "./protocol";
import { startWorker as startNamed } from "./startWorker";

/** A GPU lost this often without a finished run between is left alone. */
const MOST_LOSSES = 2;

/** How long what was cancelled may take to stop: a pass of a large model in wasm takes seconds. */
const PATIENCE_MILLISECONDS = 10_000;

let errorsCarried = false;

/** Makes a client; its worker starts with the first load, and another after each that was lost. */
export function createEngine(
  startWorker: () => Worker = () => startBundled(startEngineWorker, "elf-engine"),
  locks: LockManager | undefined = browserLocks(),
  patience = PATIENCE_MILLISECONDS,
): EngineClient {
  if (!errorsCarried) carryErrors();
  errorsCarried = true;
  const listeners = new Set<(reason: Error) => void>();
  let connection: Connection | undefined;
  /** What was loaded last, and whether it still is: one that was lost is had again for the next run. */
  let last: LoadRequest | undefined;
  let standing: "none" | "loaded" | "lost" = "none";
  let restoring: Restoring | undefined;
  let losses = 0;
  let handles: Handle = 0;
  const open = new Set<OpenRequest>();
  /** The newest load under way or waiting; resolves when it has ended, however. */
  let loads: Promise<void> | undefined;
  /** Aborted when the engine is ended: whoever waits for something here is not to begin it afterwards. */
  let life = new AbortController();

  function connect(): Connection {
    const opened = new Connection(startNamed(startWorker), locks, (reason) => {
      if (connection !== opened) return;
      connection = undefined;
      if (reason instanceof DeviceLostError) losses++;
      if (standing !== "loaded") return;
      standing = "lost";
      for (const listener of listeners) listener(reason);
    });
    return opened;
  }

  /** A call after which nothing is left of the worker if it failed beyond mending. */
  async function call<T>(current: Connection, task: (remote: Remote<WorkerApi>) => Promise<T>): Promise<T> {
    try {
      return await current.call(task);
    } catch (error) {
      // It never left the page, and the worker knows nothing of it.
      if (error instanceof DOMException && error.name === "DataCloneError") {
        throw new SettingsError(
          `This cannot be sent to the engine's worker: ${error.message}`,
          "Give plain objects; of one that a framework watches, what it was made of.",
        );
      }
      if (costsModel(error)) current.end(error as Error);
      throw error;
    }
  }

  /** A request of its own: it ends when its signal is aborted, or the worker does. */
  async function ask<T>(
    current: Connection,
    signal: AbortSignal | undefined,
    task: (remote: Remote<WorkerApi>, handle: Handle) => Promise<T>,
  ): Promise<T> {
    const handle = ++handles;
    const answer = call(current, (remote) => task(remote, handle));
    const end = () => {
      // The worker hears of it between two passes only, and of a pass that hangs it is never heard again.
      const told = current.call((remote) => remote.cancel(handle));
      void current.settle(
        [told, answer],
        patience,
        () => new CancelledError("The engine did not stop, so it was ended."),
      );
    };
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end, { once: true });
    try {
      return await answer;
    } finally {
      signal?.removeEventListener("abort", end);
    }
  }

  /** Waits for something else to end; not longer than the signal and this life of the engine last. */
  async function wait(task: Promise<unknown>, signal: AbortSignal | undefined, own: AbortSignal): Promise<void> {
    await unlessAborted(own, unlessAborted(signal, task));
    // It may have ended at the same time.
    if (own.aborted) throw new CancelledError();
  }

  async function loadHere(
    wanted: LoadRequest,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal | undefined,
  ): Promise<LoadedModel> {
    const { signal: own } = life;
    connection ??= connect();
    const current = connection;
    const model = await ask(current, signal, (remote, handle) => remote.load(handle, wanted, callback(onProgress)));
    if (own.aborted) throw new CancelledError();
    standing = "loaded";
    current.watchGpu();
    return model;
  }

  async function loadAgain(
    wanted: LoadRequest,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal,
  ): Promise<LoadedModel> {
    const { signal: own } = life;
    const backend = losses < MOST_LOSSES ? wanted.backend : "wasm";
    standing = "lost";
    try {
      return await loadHere({ ...wanted, backend }, onProgress, signal);
    } catch (error) {
      if (backend === "wasm" || own.aborted || !isOfTheGpu(error)) throw error;
      return loadHere({ ...wanted, backend: "wasm" }, onProgress, signal);
    }
  }

  function beginRestoring(wanted: LoadRequest): Restoring {
    const abort = new AbortController();
    const waiting: Restoring["waiting"] = new Set();
    const onProgress = (progress: LoadProgress) => {
      for (const { hear } of waiting) hear(progress);
    };
    return { model: loadAgain(wanted, onProgress, abort.signal), waiting, abort };
  }

  /** However many ask for it, it is loaded once; and given up when none of them waits any more. */
  async function restore(
    onProgress: (progress: LoadProgress) => void,
    signal?: AbortSignal | undefined,
  ): Promise<LoadedModel> {
    if (!last) throw new NoModelError("There is no model to run yet.", "Load a model first.");
    if (signal?.aborted) throw new CancelledError();
    restoring ??= beginRestoring(last);
    const { model, waiting, abort } = restoring;
    const entry = { hear: onProgress };
    waiting.add(entry);
    try {
      await wait(model, signal, life.signal);
      return await model;
    } finally {
      waiting.delete(entry);
      if (waiting.size === 0) {
        abort.abort();
        if (restoring?.abort === abort) restoring = undefined;
      }
    }
  }

  async function restored(signal?: AbortSignal | undefined): Promise<Connection> {
    if (!connection || standing === "lost") await restore(() => {}, signal);
    // Ended again while it was restored.
    if (!connection) throw new CancelledError();
    return connection;
  }

  /** Keeps account of a request for as long as it is open. */
  function opened<T>(signal: AbortSignal | undefined, task: Promise<T>): Promise<T> {
    const entry: OpenRequest = { signal, over: task.then(nothing, nothing) };
    open.add(entry);
    void entry.over.then(() => open.delete(entry));
    return task;
  }

  /** Loads when what was asked for before has ended: a run is written by the model that it was meant for. */
  async function loadInTurn(
    wanted: LoadRequest,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal | undefined,
    before: readonly OpenRequest[],
  ): Promise<LoadedModel> {
    const isAnother = () => standing === "loaded" && (wanted.baseUrl !== last?.baseUrl || wanted.dtype !== last.dtype);
    // Nobody waits any more for what a worker still does that is about to end.
    const isFree = isAnother() && before.every((earlier) => earlier.signal?.aborted);
    const { signal: own } = life;
    if (!isFree) await wait(Promise.all(before.map(({ over }) => over)), signal, own);
    const isOther = isAnother();
    last = wanted;
    losses = 0;
    standing = "none";
    if (isOther) {
      // WebAssembly's memory never shrinks; only with its worker is all of a model's memory given back.
      connection?.end(new CancelledError("Another model was loaded."));
    }
    return loadHere(wanted, onProgress, signal);
  }

  /** Does something with the model that is loaded when its turn comes; ended before that, it answers `unbegun`. */
  function inTurn<T>(
    signal: AbortSignal | undefined,
    unbegun: T,
    task: (current: Connection) => Promise<T>,
  ): Promise<T> {
    const loading = loads;
    const { signal: own } = life;
    const begin = async () => {
      let current: Connection;
      try {
        if (loading) await wait(loading, signal, own);
        current = await restored(signal);
        if (own.aborted) throw new CancelledError();
      } catch (error) {
        if (signal?.aborted && error instanceof CancelledError) return unbegun;
        throw error;
      }
      return task(current);
    };
    return opened(signal, begin());
  }

  /** Ends what waits here; what is asked for from now on finds an engine that knows of nothing. */
  function beginAnew(): void {
    last = undefined;
    standing = "none";
    restoring = undefined;
    life.abort();
    life = new AbortController();
  }

  return {
    load: async (request, onProgress, signal) => {
      const wanted = { ...request, baseUrl: onPage(request.baseUrl) };
      const load = async (before: readonly OpenRequest[]) => {
        try {
          return await loadInTurn(wanted, onProgress, signal, before);
        } finally {
          if (loads === over) loads = undefined;
        }
      };
      const loading = opened(signal, load([...open]));
      const over = loading.then(nothing, nothing);
      loads = over;
      return loading;
    },
    generate: (request, onEvent, signal) => {
      return inTurn(signal, NOT_BEGUN, async (current) => {
        const result = await ask(current, signal, (remote, handle) =>
          remote.generate(handle, request, callback(onEvent)),
        );
        if (result.status === "done") losses = 0;
        return result;
      });
    },
    read: (request, onEvent, signal) =>
      inTurn(signal, undefined, (current) =>
        ask(current, signal, (remote, handle) => remote.read(handle, request, callback(onEvent))),
      ),
    paths: (recipe, frames, onEvent, signal) =>
      inTurn(signal, null, (current) =>
        ask(current, signal, (remote, handle) => remote.paths(handle, recipe, frames, callback(onEvent))),
      ),
    tokenize: async (text) => call(await restored(), (remote) => remote.tokenize(text)),
    dispose: async () => {
      beginAnew();
      if (connection) await call(connection, (remote) => remote.dispose());
    },
    restore: (onProgress, signal) => opened(signal, restore(onProgress, signal)),
    onLost: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    terminate: () => {
      beginAnew();
      connection?.end(new CancelledError("The engine was ended.", "Load the model again to go on."));
    },
  };
}

/** What was asked of the engine and has not been answered. */
interface OpenRequest {
  readonly signal: AbortSignal | undefined;
  readonly over: Promise<void>;
}

/** A model that is loaded again, and who waits for it. */
interface Restoring {
  readonly model: Promise<LoadedModel>;
  readonly waiting: Set<{ readonly hear: (progress: LoadProgress) => void }>;
  /** Ends it. */
  readonly abort: AbortController;
}

function nothing(): void {}

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

/** Written so that bundlers know what it starts. */
export function startEngineWorker(): Worker {
  return new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "elf-engine" });
}

/** Inside the worker a relative address would mean another place than on the page. */
function onPage(address: string): string {
  if (URL.canParse(address, pageAddress())) return new URL(address, pageAddress()).href;
  throw new SourceError(
    `“${String(address).slice(0, 80)}” is no address of a model.`,
    "Give that of a folder that elf export wrote.",
  );
}

function pageAddress(): string {
  return typeof document === "undefined" ? "http://localhost/" : document.baseURI;
}
