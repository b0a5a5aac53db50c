import { checkSources } from "../flow/condition";
import { CancelledError } from "../flow/errors";
import { type FlowConstants, flow } from "../flow/sampler";
import { scheduleTimes } from "../flow/schedule";
import { checkSettings, type SamplerSettings } from "../flow/settings";
import { cutAtEnd } from "../flow/tokens";
import { type Frame, readFrame } from "../flow/trajectory";
import { gpuFlow } from "../model/gpu/loop";
import type { LoadOptions, LoadProgress, Model } from "../model/load";
import { NoModelError } from "./errors";
import type { EngineApi, LoadedModel, LoadRequest, RunEvent, RunResult } from "./protocol";

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

  constructor(private readonly loader: Loader) {}

  /** A model already loaded is given up first: two seldom fit. */
  load(request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> {
    return this.#takeTurn("load", async (signal) => {
      if (signal.aborted) throw new CancelledError();
      await this.#giveUpModel();
      const model = await this.loader(request, { signal, onProgress });
      this.#model = model;
      const { manifest, backend, reason, tokenizer } = model;
      return { manifest, backend, backendReason: reason, pieces: tokenizer.pieces };
    });
  }

  async generate(settings: SamplerSettings, onEvent: (event: RunEvent) => void): Promise<RunResult> {
    // What cannot run is refused at once, so that it does not end the run under way.
    if (!this.#tasks.some(({ kind }) => kind === "load")) this.#modelFor(settings);
    return this.#takeTurn("run", async (signal) => {
      if (signal.aborted) return { status: "cancelled", text: "", seconds: 0 };
      return run(this.#modelFor(settings), settings, onEvent, signal);
    });
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

  /** The model, if it is there and can run these settings. */
  #modelFor(settings: SamplerSettings): Model {
    const model = this.#model;
    if (!model) throw new NoModelError("There is no model to run yet.", "Load a model first.");
    const { architecture } = model.manifest;
    checkSettings(settings, architecture.maxLength);
    checkSources([], 1, settings.length, architecture);
    return model;
  }

  async #giveUpModel(): Promise<void> {
    const model = this.#model;
    this.#model = undefined;
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

/** The frames of a run, each read before the next pass; by the loop on the GPU where the model runs on one. */
async function* framesOf(
  { network, gpu }: Model,
  settings: SamplerSettings,
  constants: FlowConstants,
  signal: AbortSignal,
): AsyncGenerator<Frame, void> {
  if (gpu) {
    for await (const state of gpuFlow(gpu, settings, constants, { signal })) yield* await state.read();
  } else {
    for await (const state of flow(network, settings, constants, { signal })) {
      yield await readFrame(network, state, settings.selfCondScale);
    }
  }
}

async function run(
  model: Model,
  settings: SamplerSettings,
  onEvent: (event: RunEvent) => void,
  signal: AbortSignal,
): Promise<RunResult> {
  const start = performance.now();
  const { manifest, tokenizer } = model;
  const constants = { ...manifest.latent, ...manifest.schedule };
  let last: Frame | undefined;
  let status: RunResult["status"] = "done";
  onEvent({ type: "start", times: Array.from(scheduleTimes(settings, constants)) });
  try {
    for await (const frame of framesOf(model, settings, constants, signal)) {
      last = frame;
      onEvent({ type: "frame", frame });
      // A pass in wasm never leaves the microtask queue: without this, a cancel would be heard only after the run.
      await nextTask();
    }
  } catch (error) {
    if (!(error instanceof CancelledError)) throw error;
    status = "cancelled";
  }
  const tokens = last ? cutAtEnd(last.holds.tokens, manifest.tokens.eos) : [];
  return { status, text: tokenizer.decode(tokens), seconds: (performance.now() - start) / 1000 };
}

/** Lets the messages in that have arrived. Not by a timer: those nested in each other wait 4 ms each. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
