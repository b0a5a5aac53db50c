import { problemOf } from "../../flow/errors";
import type { Studio } from "../session/studio";
import type { Words } from "../words/english";

/** Something that can be done, and when: the one place that decides whether a button is live. */
export interface Deed {
  enabled(studio: Studio): boolean;
  run(studio: Studio): void;
}

/** One thing a person can do. Button, keyboard shortcut and the list of shortcuts all come from here. */
export interface Action extends Deed {
  /** By it the words say what it does. */
  readonly id: keyof Words["actions"];
  readonly group: "Writing" | "Time" | "View";
  /** The first is the one shown on buttons. */
  readonly shortcuts: readonly Shortcut[];
}

export interface Shortcut {
  /** As in `KeyboardEvent.key`; letters in lower case. */
  readonly key: string;
  /** With Ctrl, or ⌘ on a Mac. */
  readonly ctrl?: boolean;
  /** With Shift; of shortcuts with Ctrl alone, for the others are known by what they type. */
  readonly shift?: boolean;
}

/** Does it, if it can be done now. What it throws becomes a problem to be seen: from a press nobody would catch it. */
export function perform(deed: Deed, studio: Studio): void {
  try {
    if (deed.enabled(studio)) deed.run(studio);
  } catch (error) {
    studio.generation.getState().raise(problemOf(error));
  }
}

const SIGNS: Readonly<Record<string, string>> = { ArrowLeft: "←", ArrowRight: "→", Enter: "↵" };

/** The keys to press, each as it is called on a keyboard. */
export function shortcutKeys({ key, ctrl, shift }: Shortcut, { keys }: Pick<Words, "keys">): string[] {
  const names: Readonly<Record<string, string>> = { ...SIGNS, ...keys };
  const name = names[key] ?? (key.length === 1 ? key.toUpperCase() : key);
  return [...(ctrl ? [keys.Control] : []), ...(shift ? [keys.Shift] : []), name];
}

/** The shortcut in the form of the attribute `aria-keyshortcuts`. */
export function ariaShortcuts(shortcuts: readonly Shortcut[]): string {
  return shortcuts
    .map(({ key, ctrl, shift }) => {
      const name = key === " " ? "Space" : key.length === 1 ? key.toUpperCase() : key;
      return `${ctrl ? "Control+" : ""}${shift ? "Shift+" : ""}${name}`;
    })
    .join(" ");
}
