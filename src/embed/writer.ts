/** What an element has written: its requests for texts, each from press to the last frame, whatever goes wrong between. */
import type { StoreApi } from "zustand/vanilla";
import { CancelledError, isCancellation } from "../flow/errors";
import { branchAt, type Recipe, recipeOf } from "../flow/recipe";
import type { SamplerSettings } from "../flow/settings";
import type { Frame } from "../flow/trajectory";
import type { Player } from "../player/createPlayer";
import type { ShownRun } from "../player/run/run";
import type { LoadedModel, LoadProgress, RunResult } from "../run/api";
import type { Options } from "./attributes";
import type { Broker, Turn } from "./broker";
import { NoRunError } from "./errors";
import type { ElfEventName, ElfEvents } from "./events";
import type { FigureState, Work } from "./figureState";
import { laterPart } from "./laterPart";
import { placeOf } from "./place";
import { recipeToWrite, WrittenRun } from "./writing";

/** What a text is to be written by; what is left out is the element's own, then the model's. */
export interface Wish {
  readonly prompt?: string;
  readonly seed?: number;
  readonly settings?: Partial<SamplerSettings>;
  readonly signal?: AbortSignal;
}

/** Where a run is to go on: from the frame shown unless `step` says another. */
export interface ForkWish extends Omit<Wish, "prompt"> {
  readonly step?: number;
}

/** What came of a request. */
export type Outcome = Pick<RunResult, "status" | "text" | "seconds">;

/** What shows the text that is written. */
export interface Shows {
  readonly element: HTMLElement;
  readonly state: StoreApi<FigureState>;
  readonly seat: { readonly player: Player };
  readonly run: ShownRun | null;
  readonly index: number;
  ready(): Promise<unknown>;
  tell<Name extends ElfEventName>(name: Name, detail: ElfEvents[Name]): void;
  fail(error: unknown, retry: () => void): void;
}

interface Order {
  readonly recipe: Recipe;
  /** The frames before the fork, where it has one. */
  readonly lead: readonly Frame[];
}

const NOTHING_BEGUN: Outcome = { status: "cancelled", text: "", seconds: 0 };

export class Writer {
  /** The newest request for a text. */
  #newest: AbortController | undefined;
  /** How many times something has been asked for that counts before what was asked for earlier. */
  #asked = 0;
  /** Who lends it the engine, once it has asked. */
  #broker: Pick<Broker, "enter" | "release"> | undefined;
  /** Asks where the tokens of the run written last were; undefined once that is known. */
  #findPaths: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** The newest of these questions. */
  #search: AbortController | undefined;
  #isInPage = true;
  /** A recipe is written as it is once; after that other seeds are wanted. */
  #isRecipeWritten = false;
  /** How often it began anew; what was asked for before shows nothing after. */
  #beginnings = 0;

  constructor(private readonly figure: Shows) {}

  get #options(): Options {
    return this.figure.state.getState().options;
  }

  /** Another recipe is to be written, as it is. */
  changeRecipe(): void {
    this.#isRecipeWritten = false;
  }

  /** Has a text written: the element's recipe the first time, then others. */
  async generate(wish: Wish): Promise<Outcome> {
    const beginning = this.#beginnings;
    const { recipe: link } = this.#options;
    const outcome = await this.#ask(
      wish,
      () => this.generate(wish),
      ({ manifest }, recipe) => {
        const own = { ...wish, prompt: wish.prompt ?? (this.#options.prompt || undefined) };
        return { recipe: recipeToWrite(manifest.defaults, recipe, own, !this.#isRecipeWritten), lead: [] };
      },
    );
    // What failed, or never began, is to be written as it is when it is tried again.
    const isOfNow = beginning === this.#beginnings && link === this.#options.recipe;
    if (isOfNow && outcome !== NOTHING_BEGUN) this.#isRecipeWritten = true;
    return outcome;
  }

  /** Goes on from a frame of the run shown, by other settings. */
  async fork(wish: ForkWish): Promise<Outcome> {
    const asked = this.begin();
    await this.figure.ready();
    // Something else has been asked for meanwhile.
    if (!this.isNewest(asked)) return NOTHING_BEGUN;
    const { run } = this.figure;
    if (!run) throw new NoRunError("There is no run to go on from.", "Set trace, or generate one first.");
    const step = wish.step ?? this.figure.index;
    return this.#ask(
      wish,
      () => this.fork(wish),
      ({ manifest: { name } }) => {
        const { model } = run.trajectory;
        if (model !== name) {
          throw new NoRunError(
            `There is no run of the model ${name} to go on from: the one shown is of ${model}.`,
            `Go on by its own model, model="${model}", or generate one first.`,
          );
        }
        const settings = { ...run.trajectory.settings, ...wish.settings };
        const recipe: Recipe = {
          settings: wish.seed === undefined ? settings : { ...settings, seed: wish.seed },
          from: branchAt(run.trajectory, step),
        };
        return { recipe: recipeOf(recipe), lead: run.trajectory.frames.slice(0, step) };
      },
    );
  }

  /** Ends what is being written, or waits to be; what has been written of it stays. */
  cancel(): void {
    this.#asked++;
    this.#newest?.abort();
    this.#search?.abort();
  }

  /** The number of a request that ends none before it. */
  begin(): number {
    return ++this.#asked;
  }

  /** Whether nothing has been asked for since that number was given. */
  isNewest(asked: number): boolean {
    return asked === this.#asked;
  }

  /** The element has come into a page: the engine that it has used does not go while it is there. */
  enter(): void {
    this.#isInPage = true;
    this.#broker?.enter(this);
    void this.findPaths();
  }

  /** It has gone, and so may the engine. */
  leave(): void {
    this.#isInPage = false;
    this.cancel();
    this.#broker?.release(this);
  }

  /** As if nothing had been asked for yet; what is still written shows nothing. */
  forget(): void {
    this.cancel();
    this.#newest = undefined;
    this.#findPaths = undefined;
    this.#isRecipeWritten = false;
    this.#beginnings++;
  }

  /** Finds where the tokens of the run written last were, where the lens on is the one that shows it. */
  async findPaths(): Promise<void> {
    if (!this.#findPaths || !this.#isInPage || this.#options.lens !== "paths") return;
    const search = new AbortController();
    this.#search = search;
    const { setState } = this.figure.state;
    setState({ isFindingPaths: true });
    await this.#findPaths(search.signal).catch(ignore);
    if (this.#search === search) setState({ isFindingPaths: false });
  }

  /** Asks for a text from press to end, whatever goes wrong between. The newest request ends the one before. */
  async #ask(
    { signal }: Pick<Wish, "signal">,
    again: () => Promise<Outcome>,
    order: (loaded: LoadedModel, recipe: Recipe | null) => Order,
  ): Promise<Outcome> {
    this.cancel();
    this.#findPaths = undefined;
    const abort = new AbortController();
    this.#newest = abort;
    const beginning = this.#beginnings;
    const isOutdated = () => beginning !== this.#beginnings;
    const work = (work: Work) => {
      if (this.#newest === abort) this.figure.state.setState({ work });
    };
    try {
      const { model, recipe: link } = this.#options;
      if (!model) throw new NoRunError("The element names no model to write by.", 'Give it model="NAME".');
      this.figure.state.setState({ problem: null, stage: "shown" });
      work({ kind: "loading", progress: null });
      const { baseUrl } = placeOf(this.#options, this.figure.element.baseURI);
      const { broker, recipeOfLink } = await laterPart();
      // It may have left the page meanwhile: nothing would take it out of the broker's users again.
      if (abort.signal.aborted) throw new CancelledError();
      const recipe = link === "" ? null : recipeOfLink(link);
      this.#broker = broker;
      const turn = {
        model: { baseUrl, backend: "auto" },
        signal: signal ? AbortSignal.any([signal, abort.signal]) : abort.signal,
        onAhead: () => {},
        onProgress: () => {},
      } as const;
      const outcome = await broker.use(this, {
        ...turn,
        onAhead: (ahead) => {
          work(ahead > 0 ? { kind: "waiting", ahead } : { kind: "loading", progress: null });
          if (ahead > 0) this.figure.tell("elf-load", { phase: "waiting", done: 0, total: ahead });
        },
        onProgress: (progress) => {
          work({ kind: "loading", progress });
          this.figure.tell("elf-load", loadDetail(progress));
        },
        task: async (loaded, engine, ended) => {
          if (isOutdated()) throw new CancelledError();
          const { backend, backendReason: reason } = loaded;
          this.figure.tell("elf-load", { phase: "ready", done: 0, total: 0, backend, reason });
          const { recipe: wanted, lead: before } = order(loaded, recipe);
          this.figure.state.setState({ title: loaded.manifest.title, isLasting: loaded.lasting });
          const run = new WrittenRun(loaded, wanted, before, (grown) => {
            // A run that was ended may have frames in flight, and tells how it ended.
            if (!isOutdated()) this.figure.seat.player.show(grown);
          });
          work({ kind: "writing" });
          this.figure.tell("elf-run", { model: loaded.manifest.name, recipe: wanted });
          try {
            const result = await engine.generate(
              { ...wanted, lead: before.length === 0 },
              (event) => run.hear(event),
              ended,
            );
            run.end(result);
            const { status, text, seconds } = result;
            this.figure.tell("elf-done", { status, text, seconds });
            const find: Turn<void>["task"] = async (_, engine, ended) => {
              await run.findPaths(engine, ended);
              if (!ended.aborted) this.#findPaths = undefined;
            };
            // Another turn: nobody has to wait for it who asked for the text.
            if (this.#newest === abort) this.#findPaths = (signal) => broker.use(this, { ...turn, signal, task: find });
            return { status, text, seconds };
          } catch (error) {
            run.end({ status: isCancellation(error) ? "cancelled" : "failed", text: "" });
            throw error;
          }
        },
      });
      void this.findPaths();
      return outcome;
    } catch (error) {
      if (isCancellation(error)) return NOTHING_BEGUN;
      if (!isOutdated()) this.figure.fail(error, () => void again().catch(ignore));
      throw error;
    } finally {
      work({ kind: "none" });
    }
  }
}

function loadDetail(progress: LoadProgress): ElfEvents["elf-load"] {
  if (progress.phase === "download") {
    return { phase: "download", done: progress.loadedBytes, total: progress.totalBytes };
  }
  return { phase: "prepare", done: 0, total: 0 };
}

/** What failed has been told of, or nobody waits for it. */
function ignore(): void {}
