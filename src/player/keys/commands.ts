import type { Player } from "../createPlayer";
import { meantKey, type TypedKey } from "./meantKey";

/** What of a key press decides; tests bring a plain object. */
export interface PlayerKey extends TypedKey {
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  /** A view inside the player has already acted on it. */
  readonly defaultPrevented: boolean;
}

/** What typing goes into, and what Space and Enter press. */
const TEXT = "input, textarea, select, [contenteditable]";
const PRESSABLE = "button, a[href], summary, [role=button], [role=option], [role=radio]";

const COMMANDS: Readonly<Record<string, (player: Player) => void>> = {
  " ": ({ playback }) => playback.getState().toggle(),
  ArrowLeft: ({ playback }) => playback.getState().step(-1),
  ArrowRight: ({ playback }) => playback.getState().step(1),
  Home: ({ playback }) => playback.getState().seek(0),
  End: ({ playback }) => playback.getState().toEnd(),
  "[": ({ display }) => display.getState().shiftSpeed(-1),
  "]": ({ display }) => display.getState().shiftSpeed(1),
  r: ({ display }) => display.getState().switchReading(),
  e: ({ display }) => display.getState().switchAxis(),
};

/** What a key pressed on `target` inside a player does with it, by the studio's shortcuts; undefined for keys that are not the player's. */
export function commandFor(press: PlayerKey, target: Pick<Element, "closest">): ((player: Player) => void) | undefined {
  const { ctrlKey, metaKey, altKey, defaultPrevented } = press;
  if (defaultPrevented || ctrlKey || metaKey || altKey) return undefined;
  const key = meantKey(press);
  const isOn = (places: string) => target.closest(places) !== null;
  if (isOn(TEXT) || (key === " " && isOn(PRESSABLE))) return undefined;
  return Object.hasOwn(COMMANDS, key) ? COMMANDS[key] : undefined;
}
