import { checkSources } from "../flow/condition";
import { CancelledError } from "../flow/errors";
import { type FlowConstants, flow } from "../flow/sampler";
import { scheduleTimes } from "../flow/schedule";
import { checkSettings, type SamplerSettings } from "../flow/settings";
import { cutAtEnd } from "../flow/tokens";
import { type Frame, readFrame } from "../flow/trajectory";
import { gpuFlow } from "../model/gpu/loop";
import type { LoadOptions, LoadProgress, Model } from "../model/load";
import { busy, NoModelError } from "./errors";
import type { EngineApi, LoadedModel, LoadRequest, RunEvent, RunResult } from "./protocol";

/** Loads a model; `loadModel` with this worker's platform, or a stand-in in tests. */
export type Loader = (
  request: LoadRequest,
  options: Required<Pick<LoadOptions, "onProgress">> & { readonly signal: AbortSignal },
) => Promise<Model>;

/** The worker's work: holds one model and does one thing at a time with it. */
export class Engine implements EngineApi {
  #model: Model | undefined;
  #underWay: { readonly abort: AbortController; readonly settled: Promise<unknown> } | undefined;

  constructor(private readonly loader: Loader) {}

  /** A model already loaded is given up first: two seldom fit. */
  load(request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> {
    return this.#alone("loading", async (signal) => {
      await this.#giveUpModel();
      const model = await this.loader(request, { signal, onProgress });
      this.#model = model;
      const { manifest, backend, reason, tokenizer } = model;
      return { manifest, backend, backendReason: reason, pieces: tokenizer.pieces };
    });
  }

  generate(settings: SamplerSettings, onEvent: (event: RunEvent) => void): Promise<RunResult> {
    return this.#alone("generating", async (signal) => {
      const model = this.#model;
      if (!model) throw new NoModelError("There is no model to run yet.", "Load a model first.");
      const { architecture } = model.manifest;
      checkSettings(settings, architecture.maxLength);
      checkSources([], 1, settings.length, architecture);
      return run(model, settings, onEvent, signal);
    });
  }

  async cancel(): Promise<void> {
    this.#underWay?.abort.abort();
  }

  /** Cancels what is under way, waits for its end, and frees the model. */
  async dispose(): Promise<void> {
    this.#underWay?.abort.abort();
    await this.#underWay?.settled.catch(() => {});
    await this.#giveUpModel();
  }

  async #giveUpModel(): Promise<void> {
    const model = this.#model;
    this.#model = undefined;
    await model?.network.dispose();
  }

  async #alone<T>(deed: string, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#underWay) {
      throw busy(deed);
    }
    const abort = new AbortController();
    const settled = task(abort.signal).finally(() => {
      this.#underWay = undefined;
    });
    this.#underWay = { abort, settled };
    return settled;
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

function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
