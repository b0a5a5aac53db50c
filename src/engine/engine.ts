import { CancelledError } from "../flow/errors";
import type { Source } from "../flow/network";
import { wellFormed } from "../flow/text";
import type { LoadOptions, LoadProgress, Model } from "../model/load";
import { NoModelError } from "./errors";
import { planOf } from "./plan";
import type { EngineApi, LoadedModel, LoadRequest, RunEvent, RunRequest, RunResult } from "./protocol";
import { writeRun } from "./run";
import { RunMemory } from "./runMemory";

/** Loads a model; `loadModel` with this worker's platform, or a stand-in in tests. */
export type Loader = (
  request: LoadRequest,
  options: Required<Pick<LoadOptions, "onProgress">> & { readonly signal: AbortSignal },
) => Promise<Model>;

/** Something asked of the engine that has not ended yet. */
interface Task {
  readonly kind: "load" | "run";
  readonly abort: AbortController;
  /** Settles when it has ended, however. */
  readonly settled: Promise<unknown>;
}

/** The worker's work: holds one model and does one thing at a time with it; the newest request wins (`EngineApi`). */
export class Engine implements EngineApi {
  #model: Model | undefined;
  /** The one under way and those that wait for their turn behind it, oldest first. */
  #tasks: readonly Task[] = [];
  readonly #memory = new RunMemory();

  constructor(private readonly loader: Loader) {}

  /** A model already loaded is given up first: two seldom fit. */
  load(request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> {
    return this.#takeTurn("load", async (signal) => {
      if (signal.aborted) throw new CancelledError();
      await this.#giveUpModel();
      const model = await this.loader(request, { signal, onProgress });
      this.#model = model;
      const { manifest, dtype, backend, label, reason, lasting, tokenizer } = model;
      return {
        manifest,
        dtype,
        backend,
        backendLabel: label,
        backendReason: reason,
        lasting,
        pieces: tokenizer.pieces,
      };
    });
  }

  async generate(request: RunRequest, onEvent: (event: RunEvent) => void): Promise<RunResult> {
    // What cannot run is refused at once, so that it does not end the run under way.
    if (!this.#tasks.some(({ kind }) => kind === "load")) planOf(this.#loaded(), request);
    return this.#takeTurn("run", async (signal) => {
      if (signal.aborted) return { status: "cancelled", text: "", seconds: 0 };
      const model = this.#loaded();
      const options = { memory: this.#memory, lead: request.lead ?? false, onEvent, signal };
      return writeRun(model, planOf(model, request), options);
    });
  }

  async tokenize(text: string): Promise<Source> {
    return this.#loaded().tokenizer.encode(wellFormed(text));
  }

  async cancel(): Promise<void> {
    for (const { abort } of this.#tasks) abort.abort();
  }

  /** Settles only when the GPU of the model loaded now is lost: then it rejects with `DeviceLostError`. */
  async watch(): Promise<void> {
    await (this.#model?.lost ?? new Promise<never>(() => {}));
  }

  dispose(): Promise<void> {
    return this.#takeTurn("load", () => this.#giveUpModel());
  }

  #loaded(): Model {
    if (!this.#model) throw new NoModelError("There is no model to run yet.", "Load a model first.");
    return this.#model;
  }

  async #giveUpModel(): Promise<void> {
    const model = this.#model;
    this.#model = undefined;
    this.#memory.clear();
    await model?.network.dispose();
  }

  /** Aborts whatever gives way to a task of this kind, and begins it when all before it have ended. */
  #takeTurn<T>(kind: Task["kind"], work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (const earlier of this.#tasks) {
      if (kind === "load" || earlier.kind === "run") earlier.abort.abort();
    }
    const abort = new AbortController();
    const before = this.#tasks.at(-1)?.settled;
    const leave = () => {
      this.#tasks = this.#tasks.filter((task) => task.abort !== abort);
    };
    const result = (async () => {
      await before;
      return work(abort.signal);
    })();
    this.#tasks = [...this.#tasks, { kind, abort, settled: result.then(leave, leave) }];
    return result;
  }
}
