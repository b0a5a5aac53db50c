/**
 * The attributes of `<elf-playground>`: what each may say, and what counts where it says nothing or something else. Each is
 * a property of the element, too, which reflects it.
 */

import type { ReadingName } from "../flow/trajectory";
import { SPEEDS, type Speed } from "../player/display";

/** What may be seen around the text, by the words of `controls`. */
export const CONTROLS = ["play", "scrub", "reading", "speed", "axis", "generate", "prompt"] as const;
export type Control = (typeof CONTROLS)[number];

const SHOWN_UNASKED: readonly Control[] = ["play", "scrub", "reading", "generate"];

/** The ways to look at a run: its text alone, or a picture of it as well. What a judge says of many runs is for the page. */
export const LENSES = ["text", "paths", "certainty", "schedule", "numbers"] as const;

export interface Options {
  readonly model: string;
  readonly recipe: string;
  readonly trace: string;
  readonly src: string;
  readonly prompt: string;
  readonly controls: readonly Control[];
  readonly theme: "auto" | "light" | "dark";
  readonly autoplay: boolean;
  readonly loop: boolean;
  readonly speed: Speed;
  readonly reading: ReadingName;
  readonly lens: (typeof LENSES)[number];
  readonly height: number;
  readonly preload: "trace" | "none";
  readonly group: string;
}

export type AttributeName = keyof Options;

/** How one attribute is read. `undefined` is said of a value that it cannot have. */
interface Attribute<T> {
  /** What a property has where the attribute is missing. */
  readonly initial: T;
  read(text: string): T | undefined;
  /** What it may say, for the person who wrote something else; and for the reference. */
  readonly says: string;
}

type Attributes = { readonly [Name in AttributeName]: Attribute<Options[Name]> };

export const ATTRIBUTES: Attributes = {
  model: text("the name of a model that lies beside the script, a hub id, or the address of a model's folder"),
  recipe: text("the end of a link to a run, run=… and what follows"),
  trace: text("the address of a recorded run"),
  src: text("the folder in which the models lie, where it is not models/ beside the folder of the script"),
  prompt: text("what the model is to write to"),
  controls: {
    initial: SHOWN_UNASKED,
    read: readControls,
    says: `all, none, or any of ${CONTROLS.join(" ")}`,
  },
  theme: oneOf(["auto", "light", "dark"]),
  autoplay: flag("plays as soon as it is seen"),
  loop: flag("plays from the start again when it has come to its end"),
  speed: {
    initial: 1,
    read: (text) => SPEEDS.find((speed) => speed === Number(text)),
    says: listed(SPEEDS),
  },
  reading: oneOf(["holds", "expects"]),
  lens: oneOf(LENSES),
  height: {
    initial: 420,
    read: (text) => {
      const pixels = /^\d{1,4}$/.test(text.trim()) ? Number(text) : 0;
      return pixels >= 160 ? pixels : undefined;
    },
    says: "a whole number of CSS pixels from 160 to 9999",
  },
  preload: oneOf(["trace", "none"]),
  group: text("any name; elements of one name share their time"),
};

export const ATTRIBUTE_NAMES = Object.keys(ATTRIBUTES) as readonly AttributeName[];

/** The value of an attribute as it is written, null where it is not; and whether that is none that it can have. */
export function readAttribute<Name extends AttributeName>(
  name: Name,
  written: string | null,
): { readonly value: Options[Name]; readonly isWrong: boolean } {
  const attribute: Attribute<Options[Name]> = ATTRIBUTES[name];
  const value = written === null ? attribute.initial : attribute.read(written);
  return value === undefined ? { value: attribute.initial, isWrong: true } : { value, isWrong: false };
}

/** CSS pixels of an element whose page says nothing of them: what `height` asks for, else what `embed.css` gives it. */
export function ownHeight(lens: Options["lens"], written: string | null): number {
  const { value, isWrong } = readAttribute("height", written);
  return lens !== "text" && (written === null || isWrong) ? 900 : value;
}

function text(says: string): Attribute<string> {
  return { initial: "", read: (written) => written, says };
}

function flag(does: string): Attribute<boolean> {
  return { initial: false, read: (written) => written !== "false", says: `nothing: where it is, the element ${does}` };
}

/** One of a few words, the first of which counts unasked. */
function oneOf<const T extends string>(words: readonly [T, ...T[]]): Attribute<T> {
  return { initial: words[0], read: (written) => words.find((word) => word === written.trim()), says: listed(words) };
}

function listed(values: readonly (string | number)[]): string {
  return values.length === 1 ? `${values[0]}` : `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
}

function readControls(written: string): readonly Control[] | undefined {
  const words = written.split(/[\s,]+/).filter((word) => word !== "");
  if (words.includes("all")) return CONTROLS;
  if (words.includes("none")) return [];
  const known = CONTROLS.filter((control) => words.includes(control));
  return known.length === new Set(words).size && known.length > 0 ? known : undefined;
}
