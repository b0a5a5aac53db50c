/** How the page speaks with the worker. */
import type { Paths } from "../flow/paths";
import type { Recipe } from "../flow/recipe";
import type {
  EngineApi,
  LoadedModel,
  LoadProgress,
  LoadRequest,
  ReadEvent,
  ReadRequest,
  RecallEvent,
  RunEvent,
  RunRequest,
  RunResult,
} from "../run/api";

/** Names a request from the page to the worker, where no signal can travel. */
export type Handle = number;

/** The worker's face; for `client.ts` only. */
export interface WorkerApi {
  load(handle: Handle, request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel>;
  generate(handle: Handle, request: RunRequest, onEvent: (event: RunEvent) => void): Promise<RunResult>;
  read(handle: Handle, request: ReadRequest, onEvent: (event: ReadEvent) => void): Promise<void>;
  paths(handle: Handle, recipe: Recipe, frames: number, onEvent: (event: RecallEvent) => void): Promise<Paths | null>;
  /** Aborts the signal of a request that has not ended yet. */
  cancel(handle: Handle): Promise<void>;
  tokenize: EngineApi["tokenize"];
  dispose: EngineApi["dispose"];
  /** Holds the Web Lock of this name for as long as the worker lives. False where the browser has or gives none. */
  hold(lock: string): Promise<boolean>;
  /** Rejects with `DeviceLostError` when the GPU of the model now loaded is lost; till then it does not answer. */
  watch(): Promise<void>;
}

/**
 * The engine as the page holds it. Everything it rejects with is a named error of the worker, of its own class.
 *
 * What was aborted and does not stop is given ten seconds, then the worker is ended; the model is lost then, as after a
 * crash. A lost GPU, memory that ran out, and a worker that crashed cost the engine its model too (`costsModel`). Runs
 * under way reject with the reason and keep their frames, and the next run restores the engine first, unless the page has
 * done so.
 */
export interface EngineClient extends EngineApi {
  /**
   * Loads again, in a fresh worker, what was loaded last. A GPU that was lost twice without a finished run between, or
   * that does not come back, is given up for wasm.
   * @throws {NoModelError} nothing was ever loaded; and whatever `load` throws.
   */
  restore(onProgress: (progress: LoadProgress) => void, signal?: AbortSignal | undefined): Promise<LoadedModel>;
  /** Calls `listener` when the model is lost, idle or in a run, and before the run rejects. Returns what ends that. */
  onLost(listener: (reason: Error) => void): () => void;
  /** Ends the worker at once; calls still open reject with `CancelledError`. A later `load` starts a new worker. */
  terminate(): void;
}
