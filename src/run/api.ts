/** What is asked of an engine, and what it answers. */

import type { PlacedFile } from "../delivery/folder";
import type { Variant } from "../delivery/networkParts";
import type { Source } from "../flow/network";
import type { Paths } from "../flow/paths";
import type { Recipe } from "../flow/recipe";
import type { Frame, ReadingName } from "../flow/trajectory";
import type { Dtype, Manifest } from "../format/manifest";
import type { LoadProgress } from "../runtime/load";
import type { Backend } from "../runtime/runtime";

export type { Backend, LoadProgress };

/** The model that an engine is to load, and how. */
export interface LoadRequest {
  /** Folder that holds `manifest.json`, ending in `/`; resolved against the page. */
  readonly baseUrl: string;
  /** How the weights are stored; the model's default where none is given. */
  readonly dtype?: Dtype | undefined;
  /** The files of a folder that was dropped on the page, where the model is not asked for anywhere. */
  readonly files?: readonly PlacedFile[] | undefined;
  /** `auto` takes the first that passes the model's self-test: a real GPU, then wasm. */
  readonly backend: Backend | "auto";
}

/** What stands ready after a load. */
export interface LoadedModel {
  readonly manifest: Manifest;
  /** How its weights were stored. */
  readonly dtype: Dtype;
  readonly backend: Backend;
  /** The kernels it runs by. */
  readonly variant: Variant;
  /** Threads it computes on; 1 on a GPU. */
  readonly threads: number;
  /** Why, one sentence for the person. */
  readonly backendReason: string;
  /** Whether its files outlive the page. */
  readonly lasting: boolean;
  /** The piece of each token id, as the tokenizer spells it (`▁` marks a space before). */
  readonly pieces: readonly string[];
}

/**
 * A run to be written. The engine knows of no other runs than those that a recipe tells of: what it still remembers of
 * them spares it passes, and what it does not it writes again.
 */
export interface RunRequest extends Recipe {
  /** Whether the frames before the fork are wanted too; without it they are not, for the page has the parent's. */
  readonly lead?: boolean;
  /** Which frames are read on the way; every one unless given. */
  readonly frames?: FrameChoice;
  /**
   * Whether it may be written at once with others that wait and may, too: it is on a GPU, for which a batch is little more
   * than one run, and only as far as memory goes. In wasm each has its turn.
   */
  readonly atOnce?: boolean;
}

/**
 * A frame costs two passes of the decoder, a step often one pass of the denoiser: reading all of them trebles a run.
 * `every`: all. `paced`: the text at t = 1 and, evenly spread before it, as many as slow the run by a fifth at most
 * (`pacedFrames`); the others can be had by `read`. `last`: the text alone.
 */
export type FrameChoice = "every" | "paced" | "last";

/**
 * What a run reports while it goes. `start` comes once, before the first frame, with the times of all frames from noise
 * on and the number of the first that will come. `recall` counts the steps of an earlier run that has to be written again
 * up to the fork; its frames are not sent.
 */
export type RunEvent =
  | { readonly type: "start"; readonly times: readonly number[]; readonly first: number }
  | { readonly type: "recall"; readonly done: number; readonly total: number }
  | { readonly type: "frame"; readonly frame: Frame };

/** Frames of a run that are to be read. */
export interface ReadRequest extends Recipe {
  /** Numbers on the path of the recipe, 0 (noise) … N (text), those before its fork included. */
  readonly steps: readonly number[];
  /**
   * The reading that somebody waits for. Where it comes sooner alone, in wasm, a frame comes twice: first with this one
   * only (`awaits`), then whole.
   */
  readonly first?: ReadingName;
}

/** What reading frames reports. */
export type ReadEvent = Exclude<RunEvent, { readonly type: "start" }>;

/** What finding paths reports. */
export type RecallEvent = Extract<RunEvent, { readonly type: "recall" }>;

/** What a run that has ended, or was ended, leaves. */
export interface RunResult {
  readonly status: "done" | "cancelled";
  /**
   * Tokens of all positions by the last frame read, before any cut: those of a prompt and those behind the end included.
   * None where no frame was read.
   */
  readonly tokens: Int32Array;
  /** What was written after the prompt, cut at the first end-of-sequence token; of a cancelled run, by its last frame. */
  readonly text: string;
  readonly seconds: number;
}

/** The result of a run that was ended before its turn came. */
export const NOT_BEGUN: RunResult = { status: "cancelled", tokens: new Int32Array(), text: "", seconds: 0 };

/**
 * What writes runs: here in this thread, or behind a client in a worker. It does one thing at a time, but for runs that may
 * be written at once (`RunRequest.atOnce`), and takes what is asked of it in turn, whoever asks. A request is ended by its own signal and by no other's: whether a newer one is to end
 * an older one is for those to say who ask.
 */
export interface EngineApi {
  /**
   * Loads a model in the place of the one that is loaded, when all that was asked for before has ended.
   * @throws {CancelledError} `signal` was aborted; and whatever `loadModel` throws.
   */
  load(
    request: LoadRequest,
    onProgress: (progress: LoadProgress) => void,
    signal?: AbortSignal | undefined,
  ): Promise<LoadedModel>;
  /**
   * Writes a run by the model that is loaded when its turn comes. One whose signal is aborted keeps the frames that it
   * has, and its result is `cancelled`; one that still waits has none, and answers at once.
   * @throws {SettingsError | ConditionError | TokenizerError | NoModelError} it cannot be run. Refused before it waits.
   */
  generate(
    request: RunRequest,
    onEvent: (event: RunEvent) => void,
    signal?: AbortSignal | undefined,
  ): Promise<RunResult>;
  /**
   * Reads frames of a run that need not have been read when it was written: from the states that are remembered, else by
   * writing it again as far as is needed, which `recall` events tell of. They come in their order; one whose signal is
   * aborted ends without the rest.
   * @throws {SettingsError} there is no such frame; and whatever `generate` throws.
   */
  read(request: ReadRequest, onEvent: (event: ReadEvent) => void, signal?: AbortSignal | undefined): Promise<void>;
  /**
   * Finds where every position of a run was, as `read` finds its frames, and without the decoder: in the directions that the
   * model brings along, else in those of this run's end. Null where the signal was aborted.
   * @param frames how many, from noise on: 1 … N + 1.
   * @throws {SettingsError} the run has not so many; and whatever `generate` throws.
   */
  paths(
    recipe: Recipe,
    frames: number,
    onEvent: (event: RecallEvent) => void,
    signal?: AbortSignal | undefined,
  ): Promise<Paths | null>;
  /**
   * The tokens of a text, at any time after a load.
   * @throws {NoModelError | TokenizerError} there is no model, or it has no tokenizer.
   */
  tokenize(text: string): Promise<Source>;
  /** Ends everything under way or waiting, whoever asked for it, and frees sessions and weights. It can load again. */
  dispose(): Promise<void>;
}
