import type { Dtype } from "../format/manifest";
import type { LoadProgress } from "../runtime/load";
import type { Backend, RuntimeFiles } from "../runtime/runtime";

/** How a model is loaded. All of it may be left out. */
export interface LoadModelOptions {
  /** What to run on: unless given, a real GPU that passes the model's self-test, and wasm elsewhere. Node has wasm alone. */
  readonly backend?: Backend | "auto" | undefined;
  /** How the weights are stored; the model's default unless given. */
  readonly dtype?: Dtype | undefined;
  /** Ends the load. What was downloaded until then is kept where anything is. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /**
   * Where the parts of onnxruntime-web lie that it loads itself, by build. Unless given it finds its own, which bundlers
   * put beside their output; browsers then compute on one thread.
   */
  readonly runtime?: Partial<Record<"wasm" | "jspi" | "asyncify", RuntimeFiles>> | undefined;
}
