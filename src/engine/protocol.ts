import type { SamplerSettings } from "../flow/settings";
import type { Frame } from "../flow/trajectory";
import type { LoadProgress } from "../model/load";
import type { Manifest } from "../model/manifest";
import type { Backend } from "../model/runtime";

export type { Backend, LoadProgress };

export interface LoadRequest {
  /** Folder that holds `manifest.json`, ending in `/`; resolved against the page. */
  readonly baseUrl: string;
  /** `auto` prefers a real GPU and falls back to wasm after a timed probe. */
  readonly backend: Backend | "auto";
}

/** What stands ready after a load. */
export interface LoadedModel {
  readonly manifest: Manifest;
  readonly backend: Backend;
  /** Why this backend was chosen, one sentence for the person. */
  readonly backendReason: string;
  /** The piece of each token id, as the tokenizer spells it (`▁` marks a space before). */
  readonly pieces: readonly string[];
}

/** What a run reports while it goes. `start` comes once, before the first frame. */
export type RunEvent =
  | { readonly type: "start"; readonly times: readonly number[] }
  | { readonly type: "frame"; readonly frame: Frame };

export interface RunResult {
  readonly status: "done" | "cancelled";
  /** Final text, cut at the first end-of-sequence token; for a cancelled run, the last frame's. */
  readonly text: string;
  readonly seconds: number;
}

/** The worker's face. One load and one run at a time; a second run is refused with `EngineBusyError`. */
export interface EngineApi {
  load(request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel>;
  generate(settings: SamplerSettings, onEvent: (event: RunEvent) => void): Promise<RunResult>;
  /** Ends the load or run in progress; what was produced stays. Does nothing when idle. */
  cancel(): Promise<void>;
  /** Frees sessions and weights. The engine can load again afterwards. */
  dispose(): Promise<void>;
}
