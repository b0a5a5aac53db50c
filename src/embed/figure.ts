/** What stands behind one `<elf-playground>`: its run, its time, and what it asks of the engine. It outlives its place in a page. */
import { createStore } from "zustand/vanilla";
import { CancelledError, isCancellation, type NamedProblem, problemOf } from "../flow/errors";
import { branchAt, type Recipe, recipeOf } from "../flow/recipe";
import type { SamplerSettings } from "../flow/settings";
import type { Frame } from "../flow/trajectory";
import { readTrace } from "../format/trace";
import { createPlayer, type Player } from "../player/createPlayer";
import { recordedRun, type ShownRun, stepsOf } from "../player/run/run";
import type { LoadedModel, LoadProgress, RunResult } from "../run/api";
import type { Options } from "./attributes";
import { onWords, wordsOf } from "./configuration";
import { NoRunError, NothingToShowError } from "./errors";
import { type ElfEventName, type ElfEvents, tell } from "./events";
import { followPlayer } from "./followPlayer";
import { type LaterPart, laterPart } from "./laterPart";
import type { PictureKind, PictureLook } from "./picture";
import { type Place, placeOf } from "./place";
import { traceText } from "./traceText";
import { ElementVisibility } from "./visibility";
import type { Words } from "./words";
import { recipeToWrite, WrittenRun } from "./writing";

/** What an element does for its next text, from press to the last frame. */
export type Work =
  | { readonly kind: "none" }
  | { readonly kind: "waiting"; readonly ahead: number }
  | { readonly kind: "loading"; readonly progress: LoadProgress | null }
  | { readonly kind: "writing" };

export interface FigureState {
  /** `text`: what the page has of it, until it is nearly in sight; `poster`: until somebody asks for more. */
  readonly stage: "text" | "poster" | "loading" | "shown";
  readonly problem: NamedProblem | null;
  readonly work: Work;
  readonly options: Options;
  /** The model's title, as a person reads it; empty while nobody knows. */
  readonly title: string;
  /** Whether the model that wrote last outlives the page; null while none has written. */
  readonly isLasting: boolean | null;
}

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

interface Order {
  readonly recipe: Recipe;
  /** The frames before the fork, where it has one. */
  readonly lead: readonly Frame[];
}

/** What an element has only while it stands in a page. */
interface Seat {
  readonly player: Player;
  readonly visibility: ElementVisibility;
  readonly words: Words;
  /** Ends everything that listens. */
  leave(): void;
}

const NOTHING_BEGUN: Outcome = { status: "cancelled", text: "", seconds: 0 };

export class Figure {
  readonly state;
  #seat: Seat | undefined;
  /** What was shown when the element left its page, to be shown again. */
  #kept: { readonly run: ShownRun; readonly index: number } | undefined;
  #loading: Promise<void> | undefined;
  /** The newest request for a text. */
  #newest: AbortController | undefined;
  /** Lets the engine know that this element has gone. */
  #release: (() => void) | undefined;
  #retry: (() => void) | undefined;
  /** A recipe is written as it is once; after that other seeds are wanted. */
  #isRecipeWritten = false;
  #loads = 0;
  /** How often it began anew; what was asked for before shows nothing after. */
  #beginnings = 0;

  constructor(
    readonly element: HTMLElement,
    options: Options,
    /** Puts the views of a figure that has taken its seat into the page; returns what takes them out. */
    private readonly render: (figure: Figure) => () => void,
  ) {
    this.state = createStore<FigureState>()(() => ({
      stage: "text",
      problem: null,
      work: { kind: "none" },
      options,
      title: "",
      isLasting: null,
    }));
  }

  /** @throws {Error} it stands in no page. */
  get seat(): Seat {
    if (!this.#seat) throw new Error("The element stands in no page.");
    return this.#seat;
  }

  get isSeated(): boolean {
    return this.#seat !== undefined;
  }

  get run(): ShownRun | null {
    return this.#seat?.player.run.getState() ?? this.#kept?.run ?? null;
  }

  /** Frame shown. */
  get index(): number {
    return this.#seat?.player.playback.getState().index ?? this.#kept?.index ?? 0;
  }

  get #options(): Options {
    return this.state.getState().options;
  }

  /** Takes a place in a page. */
  connect(): void {
    if (this.#seat) return;
    const { element } = this;
    const language = element.closest<HTMLElement>("[lang]")?.lang ?? "";
    const words = wordsOf(language);
    const visibility = new ElementVisibility(element, () => this.#comeNear());
    const motion = matchMedia("(prefers-reduced-motion: reduce)");
    const player = createPlayer({ visibility, motion, words: words.player });
    const { speed, reading } = this.#options;
    player.display.getState().set({ speed, reading });
    if (this.#kept) player.show(this.#kept.run);
    if (this.#kept) player.playback.getState().seek(this.#kept.index);
    const follows = followPlayer(player, {
      group: this.#options.group,
      isLooping: () => this.#options.loop,
      onFrame: (shown) => this.#tell("elf-frame", shown),
    });
    const ends = [follows, onWords(() => this.#sitDownAnew())];
    this.#seat = {
      player,
      visibility,
      words,
      leave: () => {
        for (const end of ends) end();
        visibility.stop();
        player.dispose();
      },
    };
    ends.push(this.render(this));
  }

  /** Leaves its page: what it plays stays as it is, what it writes is ended. */
  disconnect(): void {
    if (!this.#standUp()) return;
    this.#newest?.abort();
    this.#release?.();
    this.#release = undefined;
  }

  /** Takes everything back that it holds; in a page again it begins anew. */
  dispose(): void {
    this.disconnect();
    this.#begin();
  }

  /** Heeds a change of its options. */
  change(options: Options): void {
    const before = this.#options;
    this.state.setState({ options });
    const changed = (name: keyof Options) => before[name] !== options[name];
    if (changed("recipe")) this.#isRecipeWritten = false;
    if (changed("trace") || changed("model") || changed("src")) {
      const isLoaded = this.#loading !== undefined;
      this.#begin();
      if (isLoaded && this.#seat) void this.ready().catch(ignore);
      // It is told once that somebody comes near, and that was before the change.
      else if (this.#seat?.visibility.wasNear) this.#comeNear();
    }
    if (!this.#seat) return;
    const { display } = this.#seat.player;
    if (changed("speed")) display.getState().set({ speed: options.speed });
    if (changed("reading")) display.getState().set({ reading: options.reading });
    if (changed("group")) this.#sitDownAnew();
  }

  /** Its words may be others: the page speaks another language. */
  changeLanguage(): void {
    this.#sitDownAnew();
  }

  /** Has what it shows: its recorded run, or a stage for one that is to be written. Rejects with what the box says. */
  ready(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async play(): Promise<void> {
    await this.ready();
    this.#seat?.player.playback.getState().play();
  }

  pause(): void {
    const playback = this.#seat?.player.playback.getState();
    if (playback && (playback.playing || playback.following)) playback.toggle();
  }

  async seek(step: number): Promise<void> {
    await this.ready();
    this.#seat?.player.playback.getState().seek(Math.round(step));
  }

  /** The views of lenses, fetched when they are first wanted; null where they cannot be had, which the box says then. */
  async lensView(): Promise<LaterPart["LensView"] | null> {
    try {
      return (await laterPart()).LensView;
    } catch (error) {
      this.#fail(error, () => this.#sitDownAnew());
      return null;
    }
  }

  /** A frame as the file of a picture, or all up to it. */
  async picture(kind: PictureKind, { step, ...look }: PictureLook): Promise<Blob> {
    await this.ready();
    const { run, element } = this;
    if (!run) throw new NoRunError("There is no run to be drawn.", "Set trace, or generate one first.");
    const { pictureOf } = await laterPart();
    const reading = this.#seat?.player.display.getState().reading ?? this.#options.reading;
    const index = step ?? (kind === "gif" ? run.trajectory.frames.length - 1 : this.index);
    return pictureOf(kind, { run, index, reading, title: this.state.getState().title, element, ...look });
  }

  /** From the poster on: what was recorded is played, what was not is written. */
  async open(): Promise<void> {
    await this.ready();
    if (this.run) await this.play();
    else if (this.#options.model) await this.generate();
  }

  generate(wish: Wish = {}): Promise<Outcome> {
    return this.#ask(
      wish,
      () => this.generate(wish),
      async ({ manifest }, recipe) => {
        const own = { ...wish, prompt: wish.prompt ?? (this.#options.prompt || undefined) };
        const isFirst = !this.#isRecipeWritten;
        this.#isRecipeWritten = true;
        return { recipe: recipeToWrite(manifest.defaults, recipe, own, isFirst), lead: [] };
      },
    );
  }

  /** Goes on from a frame of the run shown, by other settings. */
  async fork(wish: ForkWish = {}): Promise<Outcome> {
    await this.ready();
    const { run } = this;
    if (!run) throw new NoRunError("There is no run to go on from.", "Set trace, or generate one first.");
    const step = wish.step ?? this.index;
    return this.#ask(
      wish,
      () => this.fork(wish),
      async () => {
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
    this.#newest?.abort();
  }

  retry(): void {
    this.state.setState({ problem: null });
    this.#retry?.();
  }

  dismiss(): void {
    this.state.setState({ problem: null });
  }

  /** Where the model lies; undefined where none is named, or by no name. */
  place(): Place | undefined {
    if (!this.#options.model) return undefined;
    try {
      return placeOf(this.#options, this.element.baseURI);
    } catch {
      return undefined;
    }
  }

  /** As if it had just been made. */
  #begin(): void {
    this.#newest?.abort();
    this.#newest = undefined;
    this.#beginnings++;
    this.#loading = undefined;
    this.#kept = undefined;
    this.#isRecipeWritten = false;
    this.#loads++;
    this.#seat?.player.show(null);
    this.state.setState({ stage: "text", problem: null, work: { kind: "none" }, title: "", isLasting: null });
  }

  #sitDownAnew(): void {
    // What is being written goes on into the next player.
    if (this.#standUp()) this.connect();
  }

  /** Gives its player up and keeps what that showed. Says whether it had one. */
  #standUp(): boolean {
    const seat = this.#seat;
    if (!seat) return false;
    const run = seat.player.run.getState();
    this.#kept = run ? { run, index: seat.player.playback.getState().index } : undefined;
    seat.leave();
    this.#seat = undefined;
    return true;
  }

  #comeNear(): void {
    const { preload, autoplay } = this.#options;
    const isPosterWanted = preload === "none" || this.element.querySelector(":scope > [slot=poster]") !== null;
    if (!isPosterWanted || autoplay) this.ready().catch(ignore);
    else if (!this.#loading && !this.#isTaken) this.state.setState({ stage: "poster" });
  }

  /** Whether a text stands on its stage, or is on its way there; `generate` has one written before anybody comes near, too. */
  get #isTaken(): boolean {
    return this.run !== null || this.state.getState().work.kind !== "none";
  }

  async #load(): Promise<void> {
    const load = ++this.#loads;
    try {
      if (!this.#isTaken) this.state.setState({ stage: "loading", problem: null });
      const text = await (this.run ? null : traceText(this.element, this.#options.trace));
      const recording = text === null ? null : readTrace(text);
      // Whoever waits for this waits for what is asked for in its place.
      if (load !== this.#loads) return this.#loading;
      if (!recording && !this.#options.model) {
        throw new NothingToShowError(
          "The element names neither a recorded run nor a model.",
          'Give it trace="ADDRESS" of a recorded run, or model="NAME".',
        );
      }
      this.state.setState({ stage: "shown" });
      // A text that was written stays, and so does its title.
      const isWanted = recording !== null && this.run === null;
      if (isWanted) {
        this.#show(recordedRun(`recorded-${load}`, recording));
        // The title of a run that is about to show its first frame is there already.
        if (this.state.getState().work.kind !== "writing") this.state.setState({ title: recording.title });
      }
      const { run } = this;
      this.#tell("elf-ready", {
        model: run?.trajectory.model ?? this.#options.model,
        text: run?.text ?? "",
        steps: run ? stepsOf(run) : 0,
      });
      if (isWanted && this.#options.autoplay) {
        this.#seat?.player.playback.getState().seek(0);
        this.#seat?.player.playback.getState().play();
      }
    } catch (error) {
      if (load !== this.#loads) return this.#loading;
      this.#loading = undefined;
      // A model can write even so; without one the words of the page are all there is.
      this.state.setState({ stage: this.#options.model ? "shown" : "poster" });
      this.#fail(error, () => void this.ready().catch(ignore));
      throw error;
    }
  }

  #show(run: ShownRun): void {
    if (this.#seat) this.#seat.player.show(run);
    else this.#kept = { run, index: run.trajectory.frames.length - 1 };
  }

  /** Asks for a text from press to end, whatever goes wrong between. The newest request ends the one before. */
  async #ask(
    { signal }: Pick<Wish, "signal">,
    again: () => Promise<Outcome>,
    order: (loaded: LoadedModel, recipe: Recipe | null) => Promise<Order>,
  ): Promise<Outcome> {
    this.#newest?.abort();
    const abort = new AbortController();
    this.#newest = abort;
    const beginning = this.#beginnings;
    const isOutdated = () => beginning !== this.#beginnings;
    const work = (work: Work) => {
      if (this.#newest === abort) this.state.setState({ work });
    };
    try {
      const { model, recipe: link } = this.#options;
      if (!model) throw new NoRunError("The element names no model to write by.", 'Give it model="NAME".');
      this.state.setState({ problem: null, stage: "shown" });
      work({ kind: "loading", progress: null });
      const { baseUrl } = placeOf(this.#options, this.element.baseURI);
      const { broker, recipeOfLink } = await laterPart();
      // It may have left the page meanwhile: nothing would take it out of the broker's users again.
      if (abort.signal.aborted) throw new CancelledError();
      const recipe = link === "" ? null : recipeOfLink(link);
      this.#release = () => broker.release(this);
      return await broker.use(this, {
        model: { baseUrl, backend: "auto" },
        signal: signal ? AbortSignal.any([signal, abort.signal]) : abort.signal,
        onAhead: (ahead) => {
          work(ahead > 0 ? { kind: "waiting", ahead } : { kind: "loading", progress: null });
          if (ahead > 0) this.#tell("elf-load", { phase: "waiting", done: 0, total: ahead });
        },
        onProgress: (progress) => {
          work({ kind: "loading", progress });
          this.#tell("elf-load", loadDetail(progress));
        },
        task: async (loaded, engine, ended) => {
          if (isOutdated()) throw new CancelledError();
          const { backend, backendReason: reason } = loaded;
          this.#tell("elf-load", { phase: "ready", done: 0, total: 0, backend, reason });
          this.state.setState({ title: loaded.manifest.title, isLasting: loaded.lasting });
          const { recipe: wanted, lead: before } = await order(loaded, recipe);
          const run = new WrittenRun(loaded, wanted, before, (grown) => {
            // A run that was ended may have frames in flight, and tells how it ended.
            if (!isOutdated()) this.#show(grown);
          });
          work({ kind: "writing" });
          this.#tell("elf-run", { model: loaded.manifest.name, recipe: wanted });
          try {
            const result = await engine.generate(
              { ...wanted, lead: before.length === 0 },
              (event) => run.hear(event),
              ended,
            );
            run.end(result);
            const { status, text, seconds } = result;
            this.#tell("elf-done", { status, text, seconds });
            return { status, text, seconds };
          } catch (error) {
            run.end({ status: isCancellation(error) ? "cancelled" : "failed", text: "" });
            throw error;
          }
        },
      });
    } catch (error) {
      if (isCancellation(error)) return NOTHING_BEGUN;
      if (!isOutdated()) this.#fail(error, () => void again().catch(ignore));
      throw error;
    } finally {
      work({ kind: "none" });
    }
  }

  #fail(error: unknown, retry: () => void): void {
    const problem = problemOf(error);
    this.#retry = retry;
    this.state.setState({ problem });
    console.error(`<elf-playground> ${problem.name}: ${problem.message} ${problem.action}`);
    this.#tell("elf-error", problem);
  }

  #tell<Name extends ElfEventName>(name: Name, detail: ElfEvents[Name]): void {
    tell(this.element, name, detail);
  }
}

function loadDetail(progress: LoadProgress): ElfEvents["elf-load"] {
  if (progress.phase === "download") {
    return { phase: "download", done: progress.loadedBytes, total: progress.totalBytes };
  }
  return { phase: "prepare", done: 0, total: 0 };
}

/** What failed has been told of. */
function ignore(): void {}
