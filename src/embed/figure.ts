/** What stands behind one `<elf-playground>`: its run, its time, and what it asks of the engine. It outlives its place in a page. */
import { createStore } from "zustand/vanilla";
import { problemOf } from "../flow/errors";
import { readTrace } from "../format/trace";
import { createPlayer, type Player } from "../player/createPlayer";
import type { PlaybackStore } from "../player/playback";
import { recordedRun, type ShownRun, stepsOf } from "../player/run/run";
import type { Options } from "./attributes";
import { onWords, wordsOf } from "./configuration";
import { NoRunError, NothingToShowError } from "./errors";
import { type ElfEventName, type ElfEvents, tell } from "./events";
import type { FigureState } from "./figureState";
import { followPlayer } from "./followPlayer";
import { isMoving } from "./groups";
import { laterPart } from "./laterPart";
import type { PictureKind, PictureLook } from "./picture";
import { type Place, placeOf } from "./place";
import { Surroundings } from "./surroundings";
import { traceText } from "./traceText";
import { ENGLISH, type Words } from "./words";
import { type ForkWish, type Outcome, type Wish, Writer } from "./writer";

/** What its views show, and what they say. */
interface Seat {
  readonly player: Player;
  readonly words: Words;
}

export class Figure {
  readonly state;
  /** Its player lives as long as it does: what the reader has chosen stays in whatever page, and in any language. */
  #seat: Seat;
  readonly #around: Surroundings;
  readonly #writer = new Writer(this);
  /** Ends what listens and is seen in its page; undefined while it stands in none. */
  #leave: (() => void) | undefined;
  #unfollow = () => {};
  #loading: Promise<void> | undefined;
  #pauses = 0;
  #retry: (() => void) | undefined;
  #loads = 0;

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
      isFindingPaths: false,
      typed: null,
      LensView: null,
    }));
    this.#around = new Surroundings(element, () => this.#comeNear());
    const player = createPlayer({ visibility: this.#around, motion: this.#around });
    this.#seat = { player, words: ENGLISH };
    this.#lookAnew();
  }

  get seat(): Seat {
    return this.#seat;
  }

  get run(): ShownRun | null {
    return this.#seat.player.run.getState();
  }

  /** Frame shown. */
  get index(): number {
    return this.#playback.index;
  }

  get #playback(): PlaybackStore {
    return this.#seat.player.playback.getState();
  }

  get #options(): Options {
    return this.state.getState().options;
  }

  /** Takes a place in a page. */
  connect(): void {
    if (this.#leave) return;
    this.#writer.enter();
    this.#around.begin();
    this.#speak();
    this.#follow();
    const ends = [onWords(() => this.#speak()), this.render(this)];
    this.#leave = () => {
      for (const end of ends) end();
      this.#unfollow();
      this.#around.end();
    };
  }

  /** Leaves its page: what it plays stays as it is, what it writes is ended. */
  disconnect(): void {
    this.#writer.leave();
    // The pointer does not come along.
    this.#seat.player.inspection.getState().glance(null);
    this.#leave?.();
    this.#leave = undefined;
  }

  /** Takes everything back that it holds; in a page again it begins anew. */
  dispose(): void {
    this.disconnect();
    this.#begin();
    this.#lookAnew();
    this.type(null);
  }

  /** Heeds a change of its options. */
  change(options: Options): void {
    const before = this.#options;
    this.state.setState({ options });
    const changed = (name: keyof Options) => before[name] !== options[name];
    if (changed("recipe")) this.#writer.changeRecipe();
    if (changed("trace") || changed("model") || changed("src")) {
      const isLoaded = this.#loading !== undefined;
      this.#begin();
      if (isLoaded && this.#leave) void this.ready().catch(ignore);
      // It is told once that somebody comes near, and that was before the change.
      else if (this.#leave && this.#around.wasNear) this.#comeNear();
    }
    const { set } = this.#seat.player.display.getState();
    if (changed("speed")) set({ speed: options.speed });
    if (changed("reading")) set({ reading: options.reading });
    if (changed("prompt")) this.type(null);
    if (changed("group") && this.#leave) this.#follow();
    if (changed("lens")) void this.#writer.findPaths();
  }

  /** Its words may be others: the page speaks another language. */
  changeLanguage(): void {
    if (this.#leave) this.#speak();
  }

  /** What the reader has typed in the place of the prompt. */
  type(typed: string | null): void {
    this.state.setState({ typed });
  }

  /** Has what it shows: its recorded run, or a stage for one that is to be written. Rejects with what the box says. */
  ready(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async play(): Promise<void> {
    const pauses = this.#pauses;
    await this.ready();
    if (pauses === this.#pauses) this.#playback.play();
  }

  pause(): void {
    this.#pauses++;
    const { playing, following, toggle } = this.#playback;
    if (playing || following) toggle();
  }

  async seek(step: number): Promise<void> {
    await this.ready();
    this.#playback.seek(Math.round(step));
  }

  /** Has the view of lenses fetched. Where it cannot be had, the box says so. */
  async wantLens(): Promise<void> {
    try {
      const { LensView } = await laterPart();
      this.state.setState({ LensView });
    } catch (error) {
      this.fail(error, () => void this.wantLens());
    }
  }

  /** A frame as the file of a picture, or all up to it. */
  async picture(kind: PictureKind, { step, ...look }: PictureLook): Promise<Blob> {
    await this.ready();
    const { run, element } = this;
    if (!run) throw new NoRunError("There is no run to be drawn.", "Set trace, or generate one first.");
    const { pictureOf } = await laterPart();
    const { reading } = this.#seat.player.display.getState();
    const index = step ?? (kind === "gif" ? run.trajectory.frames.length - 1 : this.index);
    return pictureOf(kind, { run, index, reading, title: this.state.getState().title, element, ...look });
  }

  /** From the poster on: what was recorded is played, what was not is written. */
  async open(): Promise<void> {
    const asked = this.#writer.begin();
    await this.ready();
    if (this.run) await this.play();
    else if (this.#options.model && this.#writer.isNewest(asked)) await this.generate();
  }

  generate(wish: Wish = {}): Promise<Outcome> {
    return this.#writer.generate(wish);
  }

  fork(wish: ForkWish = {}): Promise<Outcome> {
    return this.#writer.fork(wish);
  }

  cancel(): void {
    this.#writer.cancel();
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
    this.#writer.forget();
    this.#loading = undefined;
    this.#loads++;
    this.#seat.player.show(null);
    this.state.setState({ stage: "text", problem: null, work: { kind: "none" }, title: "", isLasting: null });
  }

  /** The run as the attributes want it looked at. */
  #lookAnew(): void {
    const { speed, reading } = this.#options;
    this.#seat.player.display.getState().set({ speed, reading, axis: "time" });
  }

  /** Takes the words of the language around it. */
  #speak(): void {
    const words = wordsOf(this.element.closest<HTMLElement>("[lang]")?.lang ?? "");
    this.#seat = { player: { ...this.#seat.player, words: words.player }, words };
    // Its views are drawn anew.
    this.state.setState({});
  }

  #follow(): void {
    this.#unfollow();
    this.#unfollow = followPlayer(this.#seat.player, {
      group: this.#options.group,
      isLooping: () => this.#options.loop,
      isSeen: () => !this.#around.hidden,
      onFrame: (shown) => this.tell("elf-frame", shown),
    });
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
        this.#seat.player.show(recordedRun(`recorded-${load}`, recording));
        // The title of a run that is about to show its first frame is there already.
        if (this.state.getState().work.kind !== "writing") this.state.setState({ title: recording.title });
      }
      const { run } = this;
      this.tell("elf-ready", {
        model: run?.trajectory.model ?? this.#options.model,
        text: run?.text ?? "",
        steps: run ? stepsOf(run) : 0,
      });
      // Where others of its group play, it goes with them.
      if (isWanted && this.#options.autoplay && !isMoving(this.#options.group)) {
        this.#playback.seek(0);
        this.#playback.play();
      }
    } catch (error) {
      if (load !== this.#loads) return this.#loading;
      this.#loading = undefined;
      // A model can write even so; without one the words of the page are all there is.
      this.state.setState({ stage: this.#options.model ? "shown" : "poster" });
      this.fail(error, () => void this.ready().catch(ignore));
      throw error;
    }
  }

  /** Says in the box what went wrong, and has it tried again by its button. */
  fail(error: unknown, retry: () => void): void {
    const problem = problemOf(error);
    this.#retry = retry;
    this.state.setState({ problem });
    console.error(`<elf-playground> ${problem.name}: ${problem.message} ${problem.action}`);
    this.tell("elf-error", problem);
  }

  tell<Name extends ElfEventName>(name: Name, detail: ElfEvents[Name]): void {
    tell(this.element, name, detail);
  }
}

/** What failed has been told of. */
function ignore(): void {}
