import type { InferenceSession, Tensor } from "onnxruntime-web";
import { requireWebAssembly } from "../delivery/policy";
import { ElfError } from "../flow/errors";
import { Interruption } from "./interruption";

/** Where a network runs in a browser. */
export type Backend = "webgpu" | "wasm";

/** The GPU went away: driver reset, sleep, or the browser took it back. */
export class DeviceLostError extends ElfError {
  readonly code = "device-lost";
}

/** The GPU or the browser had no more memory for the model or its run. */
export class OutOfMemoryError extends ElfError {
  readonly code = "out-of-memory";
}

/** The runtime itself did not start. */
export class RuntimeError extends ElfError {
  readonly code = "runtime";
}

/** Addresses of one build of onnxruntime-web: the loader script and the binary it loads. */
export interface RuntimeFiles {
  readonly mjs: string;
  readonly wasm: string;
}

/** What this project uses of onnxruntime-web; every one of its builds fits. */
export type OrtModule = Pick<typeof import("onnxruntime-web"), "InferenceSession" | "Tensor" | "env">;

/** A device, and how its end is heard of. */
export interface WatchedDevice {
  readonly device: GPUDevice;
  /** Fails with a DeviceLostError when the device is lost other than by `release`. */
  readonly lost: Promise<never>;
  readonly release: () => void;
  /** What the device did wrong since it was last asked, though nobody waited for it; undefined where all went well. */
  readonly takeFault?: () => Error | undefined;
}

/** How long a failed call waits for the news that the device was lost, which would be its cause. */
const LOSS_MILLISECONDS = 100;

/**
 * A started build of onnxruntime-web on one backend. Its sessions share one memory and one device, and it takes one
 * thing at a time: creations and runs that overlap fail in the wasm builds, so they queue here.
 */
export class Runtime {
  /** The device of the webgpu backend. Own work may be submitted to its queue between runs. */
  readonly device: GPUDevice | undefined;
  /** Threads that a run computes on; 1 on a GPU. */
  readonly threads: number;
  #queue: Promise<unknown> = Promise.resolve();
  /** Fails with a DeviceLostError when the device is lost; never settles otherwise, nor on other backends. */
  readonly lost: Promise<never>;
  readonly #loss = new Interruption();
  readonly #release: () => void;
  readonly #takeFault: () => Error | undefined;

  constructor(
    readonly backend: Backend,
    readonly ort: OrtModule,
    private readonly provider: InferenceSession.ExecutionProviderConfig,
    watched?: WatchedDevice,
  ) {
    this.threads = backend === "wasm" ? (ort.env?.wasm.numThreads ?? 1) : 1;
    this.device = watched?.device;
    this.lost = watched?.lost ?? new Promise<never>(() => {});
    this.#release = watched?.release ?? (() => {});
    this.#takeFault = watched?.takeFault ?? (() => undefined);
    // Whoever waits for a run learns of the loss; with nobody waiting it is no news.
    this.lost.catch((error) => this.#loss.happen(error));
  }

  /** Creates a session of one graph, whose weights lie in `externalData` under the names the graph knows them by. */
  createSession(
    graph: Uint8Array,
    externalData: readonly { readonly path: string; readonly data: Uint8Array }[],
  ): Promise<InferenceSession> {
    return this.#inTurn(() =>
      this.ort.InferenceSession.create(graph, {
        executionProviders: [this.provider],
        externalData,
        graphOptimizationLevel: "all",
        logSeverityLevel: 3,
      }),
    );
  }

  /**
   * Runs a session. Outputs that are only named are returned on the CPU; those given as tensors are written into them,
   * wherever these lie.
   */
  run(
    session: InferenceSession,
    inputs: Record<string, Tensor>,
    outputs: readonly string[] | Record<string, Tensor>,
  ): Promise<InferenceSession.ReturnType> {
    return this.#inTurn(() => session.run(inputs, outputs));
  }

  /** Frees a session after the runs under way. Never fails: of a lost device there is nothing left to free. */
  releaseSession(session: InferenceSession): Promise<void> {
    return this.#inTurn(() => session.release()).catch(() => {});
  }

  /** Gives the device back. Release the sessions first. */
  release(): void {
    this.#release();
  }

  /**
   * Waits for something that the device does.
   * @throws {DeviceLostError} the device was lost meanwhile; and whatever `task` throws for other reasons.
   */
  async orLost<T>(task: Promise<T>): Promise<T> {
    try {
      // A run on a lost device may never answer, so the loss itself must.
      return await this.#loss.or(task);
    } catch (error) {
      // Or it fails before the loss is told.
      if (this.device) await this.#loss.or(new Promise((resolve) => setTimeout(resolve, LOSS_MILLISECONDS)));
      throw error;
    }
  }

  async #checked<T>(task: () => Promise<T>): Promise<T> {
    try {
      const result = await this.orLost(task());
      const fault = this.#takeFault();
      if (fault) throw fault;
      return result;
    } catch (error) {
      throw withMemoryNamed(error, this.backend);
    }
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(() => this.#checked(task));
    this.#queue = result.catch(() => {});
    return result;
  }
}

/** The words of the runtime's builds, of Dawn and of JavaScript for memory that ran out. */
const OUT_OF_MEMORY =
  /out of memory|out-of-memory|bad_alloc|(memory|array buffer) allocation failed|failed to allocate/i;

function withMemoryNamed(cause: unknown, backend: Backend): unknown {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof ElfError || !OUT_OF_MEMORY.test(message)) return cause;
  return new OutOfMemoryError(
    `The ${backend === "webgpu" ? "GPU" : "browser"} has no memory left for this: ${message}`,
    "Close other pages, or choose a shorter length or a smaller model.",
    { cause },
  );
}

/**
 * Starts the CPU build. Where `files` are left out, as in Node, the library finds its own and computes on one thread.
 * @throws {PolicyError} WebAssembly is forbidden here. @throws {RuntimeError} the build cannot be loaded.
 */
export async function startWasm(files?: RuntimeFiles): Promise<Runtime> {
  requireWebAssembly();
  try {
    const ort = await import("onnxruntime-web/wasm");
    // A bundler may have merged the library's own script into another, which each of its threads would then run again.
    configure(ort, files, files ? threadCount() : 1);
    return new Runtime("wasm", ort, { name: "wasm" });
  } catch (cause) {
    throw notStarted("wasm", cause);
  }
}

/** Sets what every build needs before its first session. */
export function configure(ort: OrtModule, files: RuntimeFiles | undefined, threads: number): void {
  ort.env.logLevel = "error";
  // This code already runs in a worker of ours.
  ort.env.wasm.proxy = false;
  ort.env.wasm.numThreads = threads;
  // Always named: left alone, the library falls back to a public CDN.
  if (files) ort.env.wasm.wasmPaths = { ...files };
}

export function notStarted(backend: Backend, cause: unknown): RuntimeError {
  return new RuntimeError(
    `The ${backend} runtime did not start: ${cause instanceof Error ? cause.message : String(cause)}.`,
    "Reload the page; if it fails again, use a current version of the browser.",
    { cause },
  );
}

/**
 * Threads need shared memory, which a browser gives only to isolated pages; in Node the wasm build has one. Half of the
 * cores: threads wait for each other by spinning, so one more than there are free cores slows all of them down.
 */
function threadCount(): number {
  if (!globalThis.crossOriginIsolated || typeof navigator === "undefined") return 1;
  return Math.max(1, Math.min(4, Math.ceil((navigator.hardwareConcurrency ?? 1) / 2)));
}
