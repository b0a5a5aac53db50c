import { CancelledError, ConditionError } from "../flow/errors";
import type { Source } from "../flow/network";
import type { Paths } from "../flow/paths";
import { checkShape, type Recipe } from "../flow/recipe";
import { wellFormed } from "../flow/text";
import type { LoadOptions, LoadProgress, Model } from "../runtime/load";
import {
  type EngineApi,
  type LoadedModel,
  type LoadRequest,
  NOT_BEGUN,
  type ReadEvent,
  type ReadRequest,
  type RecallEvent,
  type RunEvent,
  type RunRequest,
  type RunResult,
} from "./api";
import { NoModelError } from "./errors";
import { RunMemory } from "./memory";
import { planRecipe, type RunPlan } from "./plan";
import { findPaths, readRun } from "./readRun";
import { companyOf, writeTogether } from "./together";
import { Turns } from "./turns";
import { followRun, writeRun } from "./writeRun";

/** Loads a model; `loadModel` with this worker's platform, or a stand-in in tests. */
export type Loader = (
  request: LoadRequest,
  options: Required<Pick<LoadOptions, "onProgress">> & { readonly signal: AbortSignal },
) => Promise<Model>;

/** Requests that were sent at once come to a worker as messages, one by one: those that may be written at once are waited for. */
const GATHERING_MILLISECONDS = 10;

function gathered(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    setTimeout(resolve, GATHERING_MILLISECONDS);
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** A run that was asked for. */
interface Order {
  readonly request: RunRequest;
  /** Its plan, where there was a model to plan it by. */
  readonly known: RunPlan | undefined;
  readonly onEvent: (event: RunEvent) => void;
  readonly abort: AbortController;
  /** How many loads had been asked for before it: it is written by the model of the last. */
  readonly loads: number;
  /** Once it has begun. */
  result: Promise<RunResult> | undefined;
}

/** Loads a model and writes runs with it, in this thread (`EngineApi`). */
export class Engine implements EngineApi {
  #model: Model | undefined;
  readonly #turns = new Turns();
  readonly #memory = new RunMemory();
  /** Those that may be written at once and whose turn has not come, oldest first. */
  #orders: readonly Order[] = [];
  /** Loads that were asked for. */
  #loads = 0;

  constructor(private readonly loader: Loader) {}

  /** A model already loaded is given up first: two seldom fit. */
  load(
    request: LoadRequest,
    onProgress: (progress: LoadProgress) => void,
    signal?: AbortSignal | undefined,
  ): Promise<LoadedModel> {
    this.#loads++;
    return this.#turns.take("load", signal, async (ended) => {
      if (ended.aborted) throw new CancelledError();
      await this.#giveUpModel();
      const model = await this.loader(request, { signal: ended, onProgress });
      this.#model = model;
      const { manifest, dtype, backend, variant, threads, reason, lasting, tokenizer } = model;
      return {
        manifest,
        dtype,
        backend,
        variant,
        threads,
        backendReason: reason,
        lasting,
        pieces: tokenizer.pieces,
      };
    });
  }

  async generate(
    request: RunRequest,
    onEvent: (event: RunEvent) => void,
    signal?: AbortSignal | undefined,
  ): Promise<RunResult> {
    checkShape(request);
    // What cannot run is refused before it waits; while a model loads nobody can say.
    const known = this.#turns.has("load") ? undefined : planRecipe(this.#loaded(), request);
    const order: Order = {
      request,
      known,
      onEvent,
      abort: new AbortController(),
      loads: this.#loads,
      result: undefined,
    };
    if (request.atOnce) this.#orders = [...this.#orders, order];
    return this.#turns.take("run", signal, async (ended) => {
      const end = () => order.abort.abort();
      if (ended.aborted) end();
      else ended.addEventListener("abort", end, { once: true });
      try {
        // It may have been written, or be under way, with one whose turn came before.
        if (request.atOnce && !order.result) await gathered(ended);
        if (!order.result && !ended.aborted) this.#write(order);
      } finally {
        this.#orders = this.#orders.filter((other) => other !== order);
      }
      return order.result ?? NOT_BEGUN;
    });
  }

  /** Begins a run whose turn has come, and with it those that may be written at once with it and still wait. */
  #write(first: Order): void {
    const model = this.#loaded();
    const mayCome = (order: Order) => order !== first && !order.result && order.loads === first.loads;
    const waiting = first.request.atOnce ? this.#orders.filter(mayCome) : [];
    const orders = [first, ...waiting].flatMap((order) => {
      try {
        return [{ order, plan: order.known ?? planRecipe(model, order.request) }];
      } catch (error) {
        if (order === first) throw error;
        return [];
      }
    });
    const company = orders.slice(
      0,
      companyOf(
        model,
        orders.map(({ plan }) => plan),
      ),
    );
    const runs = company.map(({ plan, order: { request, onEvent, abort } }) => {
      const { lead = false, frames = "every" } = request;
      return { plan, onEvent, options: { memory: this.#memory, lead, frames, signal: abort.signal } };
    });
    const alone = () => runs.map(({ plan, options, onEvent }) => followRun(writeRun(model, plan, options), onEvent));
    const results = runs.length > 1 ? writeTogether(model, runs) : alone();
    for (const [i, { order }] of company.entries()) {
      order.result = results[i];
      // Whoever asked hears of it when the turn comes.
      order.result?.catch(() => {});
    }
  }

  async read(
    request: ReadRequest,
    onEvent: (event: ReadEvent) => void,
    signal?: AbortSignal | undefined,
  ): Promise<void> {
    return this.#turns.take("run", signal, async (ended) => {
      if (ended.aborted) return;
      const model = this.#loaded();
      const events = readRun(model, planRecipe(model, request), request, { memory: this.#memory, signal: ended });
      for await (const event of events) onEvent(event);
    });
  }

  async paths(
    recipe: Recipe,
    frames: number,
    onEvent: (event: RecallEvent) => void,
    signal?: AbortSignal | undefined,
  ): Promise<Paths | null> {
    return this.#turns.take("run", signal, async (ended) => {
      if (ended.aborted) return null;
      const model = this.#loaded();
      const options = { memory: this.#memory, signal: ended };
      return followRun(findPaths(model, planRecipe(model, recipe), frames, options), onEvent);
    });
  }

  async tokenize(text: string): Promise<Source> {
    if (typeof text !== "string") throw new ConditionError("There is no text to take apart.", "Give a text.");
    return this.#loaded().tokenizer.encode(wellFormed(text));
  }

  /** Settles only when the GPU of the model loaded now is lost: then it rejects with `DeviceLostError`. */
  async watch(): Promise<void> {
    await (this.#model?.lost ?? new Promise<never>(() => {}));
  }

  dispose(): Promise<void> {
    this.#turns.endAll();
    return this.#turns.take("load", undefined, () => this.#giveUpModel());
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
}
