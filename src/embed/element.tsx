import { createRoot } from "react-dom/client";
import { writeTrace } from "../format/trace";
import { ATTRIBUTE_NAMES, ATTRIBUTES, type AttributeName, type Options, readAttribute } from "./attributes";
import { NoRunError } from "./errors";
import { FigureView } from "./FigureView";
import { Figure } from "./figure";
import { keepOwnKeys } from "./ownKeys";
import type { PictureKind, PictureLook } from "./picture";
import { adoptStyles } from "./styles";
import type { ForkWish, Outcome, Wish } from "./writer";

/** What there is of elements where there is no page: enough to be extended, so that importing this on a server does no harm. */
const Base: typeof HTMLElement =
  typeof HTMLElement === "undefined" ? (class {} as unknown as typeof HTMLElement) : HTMLElement;

/** What was said in the console already, so that it is said once. */
const said = new Set<string>();

/**
 * `<elf-playground>`: a run that is shown, and written where a model is named. Its attributes are properties, too; what
 * they may say stands in `attributes.ts`.
 */
export class ElfPlayground extends Base {
  static readonly observedAttributes = [...ATTRIBUTE_NAMES, "lang"];

  declare model: string;
  declare recipe: string;
  declare trace: string;
  declare src: string;
  declare prompt: string;
  /** As written: words, `all` or `none`. */
  declare controls: string;
  declare theme: Options["theme"];
  declare autoplay: boolean;
  declare loop: boolean;
  declare speed: Options["speed"];
  declare reading: Options["reading"];
  declare lens: Options["lens"];
  declare height: number;
  declare preload: Options["preload"];
  declare group: string;

  readonly #root: ShadowRoot;
  #size: CSSStyleSheet | undefined;
  readonly #figure: Figure;

  constructor() {
    super();
    // No elements of others are in it; one that had the registry of its first document could make none in another.
    this.#root = this.attachShadow({ mode: "open", customElementRegistry: null } as ShadowRootInit);
    this.#size = adoptStyles(this.#root);
    for (const type of ["keydown", "keypress", "keyup"]) this.#root.addEventListener(type, keepOwnKeys);
    // The page's own words stand here until there are views.
    const place = document.createElement("div");
    place.className = "figure-place";
    place.append(document.createElement("slot"));
    this.#root.append(place);
    this.#figure = new Figure(this, this.#options(), (figure) => {
      const root = createRoot(place);
      root.render(<FigureView figure={figure} />);
      return () => root.unmount();
    });
  }

  connectedCallback(): void {
    for (const name of ATTRIBUTE_NAMES) this.#takeOver(name);
    this.#resize();
    this.#figure.connect();
  }

  adoptedCallback(): void {
    this.#size = adoptStyles(this.#root);
  }

  disconnectedCallback(): void {
    this.#figure.disconnect();
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now) return;
    if (name === "height") this.#resize();
    if (name === "lang") this.#figure.changeLanguage();
    else this.#figure.change(this.#options());
  }

  /** The frame shown, counted from noise. */
  get step(): number {
    return this.#figure.index;
  }

  /** The text of the run shown; of one that is still written, what it has so far. */
  get text(): string {
    return this.#figure.run?.text ?? "";
  }

  /** Plays on from the frame shown, or from the start. Resolves when it has begun. */
  play(): Promise<void> {
    return this.#figure.play();
  }

  pause(): void {
    this.#figure.pause();
  }

  /** Shows the frame of a step. */
  seek(step: number): Promise<void> {
    return this.#figure.seek(step);
  }

  /**
   * Has a text written by the model, once it is this element's turn. Resolves when the text is done, or was cancelled.
   * Rejects with what the box says.
   */
  generate(wish: Wish = {}): Promise<Outcome> {
    return this.#figure.generate(wish);
  }

  /** Ends what is being written, or waits to be. */
  cancel(): void {
    this.#figure.cancel();
  }

  /** Goes on from a frame of the run shown, by other settings. As `generate`. */
  fork(wish: ForkWish = {}): Promise<Outcome> {
    return this.#figure.fork(wish);
  }

  /** Gives back everything that it holds, before the element itself is let go of. */
  dispose(): void {
    this.#figure.dispose();
  }

  /**
   * The run shown, as the text of a trace file.
   * @throws {NoRunError}
   */
  toTrace(): string {
    const { run } = this.#figure;
    if (!run) throw new NoRunError("There is no run to be kept.", "Set trace, or generate one first.");
    return writeTrace(run, { title: this.#figure.state.getState().title, tokens: { eos: run.eos } });
  }

  /**
   * A frame of the run as the file of a picture, or as a GIF all of them, drawn from the run itself, with its recipe in the
   * file's metadata.
   * @throws {PictureError} its size, speed or frame is none, or there is no such kind.
   * @throws {CancelledError} the signal of a GIF said so.
   * @throws {NoRunError}
   */
  toBlob(kind: PictureKind, look: PictureLook = {}): Promise<Blob> {
    return this.#figure.picture(kind, look);
  }

  #options(): Options {
    const values = ATTRIBUTE_NAMES.map((name) => {
      const written = this.getAttribute(name);
      const { value, isWrong } = readAttribute(name, written);
      if (isWrong) warnOnce(`<elf-playground ${name}="${written}"> is not known: give ${ATTRIBUTES[name].says}.`);
      return [name, value];
    });
    return Object.fromEntries(values) as Options;
  }

  /** A property that was set before the script had come stands in the way of the one that it was meant for. */
  #takeOver(name: AttributeName): void {
    if (!Object.hasOwn(this, name)) return;
    const value = Reflect.get(this, name);
    Reflect.deleteProperty(this, name);
    Reflect.set(this, name, value);
  }

  #resize(): void {
    const written = this.getAttribute("height");
    const { value, isWrong } = readAttribute("height", written);
    const height = written === null || isWrong ? "" : `${value}px`;
    if (this.#size) this.#size.replaceSync(height && `:host { height: ${height}; }`);
    else this.style.height = height;
  }
}

function warnOnce(words: string): void {
  if (said.has(words)) return;
  said.add(words);
  console.warn(words);
}

for (const name of ATTRIBUTE_NAMES) {
  const { initial } = ATTRIBUTES[name];
  Object.defineProperty(ElfPlayground.prototype, name, {
    configurable: true,
    enumerable: true,
    get(this: ElfPlayground) {
      const written = this.getAttribute(name);
      if (name === "controls") return written ?? readAttribute("controls", null).value.join(" ");
      return readAttribute(name, written).value;
    },
    set(this: ElfPlayground, value: unknown) {
      // React 19 sets properties where there are any, and gives them what it would write into the attribute.
      if (typeof initial === "boolean") this.toggleAttribute(name, value === "" || Boolean(value));
      else if (value === null || value === undefined) this.removeAttribute(name);
      else this.setAttribute(name, Array.isArray(value) ? value.join(" ") || "none" : String(value));
    },
  });
}

declare global {
  interface HTMLElementTagNameMap {
    "elf-playground": ElfPlayground;
  }
}
