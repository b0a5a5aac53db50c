import { meantKey, type TypedKey } from "../../player/keys/meantKey";
import type { Studio } from "../session/studio";
import { type Action, perform } from "./action";
import { ACTIONS } from "./all";

/** What of a keyboard event decides; tests bring a plain object. */
export interface KeyPress extends TypedKey {
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  /** AltGr, which types signs; Windows says that it is Ctrl and Alt as well. */
  readonly altGraph?: boolean;
  /** An input method is putting a sign together. */
  readonly isComposing?: boolean;
  /** Something on the page has already acted on it. */
  readonly defaultPrevented: boolean;
  /** Where the keyboard is. */
  readonly focus: Focus;
}

/** `text`: typing goes there. `pressable`: space presses it. `dialog`: the page behind is out of reach. */
export type Focus = "page" | "text" | "pressable" | "dialog";

/** With Ctrl, what undoes typing where one types. */
const OF_TEXT = new Set(["z", "y"]);

const BRACKETS = new Set(["[", "]"]);

/** The action that a key press asks for, if any. */
export function actionFor(press: KeyPress, studio: Studio): Action | undefined {
  const { defaultPrevented, focus, isComposing = false } = press;
  const key = meantKey(press);
  // Keyboards that have a sign behind AltGr or Option cannot type it without.
  const typesSign = press.altGraph || (press.altKey && !press.ctrlKey && BRACKETS.has(key));
  const isTyped = typesSign && key.length === 1;
  if (defaultPrevented || isComposing || (press.altKey && !isTyped) || focus === "dialog") return undefined;
  const ctrl = (press.ctrlKey && !isTyped) || press.metaKey;
  const isPlain = !ctrl && key !== "Escape";
  if (focus === "text" && (isPlain || OF_TEXT.has(key))) return undefined;
  if (focus === "pressable" && !ctrl && (key === " " || key === "Enter")) return undefined;
  if (isPlain && key.length === 1 && key !== " " && !studio.preferences.getState().letterKeys) return undefined;
  const action = ACTIONS.find(({ shortcuts }) =>
    shortcuts.some(
      (shortcut) =>
        shortcut.key === key &&
        (shortcut.ctrl ?? false) === ctrl &&
        (!ctrl || (shortcut.shift ?? false) === (press.shiftKey ?? false)),
    ),
  );
  return action?.enabled(studio) ? action : undefined;
}

/** Listens to the whole page. Returns what stops it. */
export function listenToKeyboard(studio: Studio, page: Window = window): () => void {
  const onKeyDown = (event: KeyboardEvent) => {
    const { key, code, shiftKey, ctrlKey, metaKey, altKey, isComposing, defaultPrevented, target } = event;
    const typed = { key, code, shiftKey, ctrlKey, metaKey, altKey, altGraph: event.getModifierState("AltGraph") };
    const action = actionFor({ ...typed, isComposing, defaultPrevented, focus: focusOf(target) }, studio);
    if (!action) return;
    event.preventDefault();
    // A key held down moves through time; it does not start run after run.
    if (!event.repeat || action.group === "Time") perform(action, studio);
  };
  page.addEventListener("keydown", onKeyDown);
  return () => page.removeEventListener("keydown", onKeyDown);
}

const TEXT = "input, textarea, select, [contenteditable]";
const PRESSABLE = "button, a[href], summary, [role=button], [role=option], [role=radio], [role=switch]";

function focusOf(target: EventTarget | null): Focus {
  if (!(target instanceof Element)) return "page";
  if (target.closest("[role=dialog][data-modal]")) return "dialog";
  if (target.closest(TEXT)) return "text";
  return target.closest(PRESSABLE) ? "pressable" : "page";
}
