import * as z from "zod/mini";
import { createStore, type StoreApi } from "zustand/vanilla";
import type { Display, DisplayStore } from "../../../player/display";
import { LANGUAGE_TAGS } from "../../words/languages";
import { keep, readKept, type TextStorage } from "./persisted";

const schema = z.object({
  theme: z.enum(["system", "light", "dark"]),
  reading: z.enum(["holds", "expects"]),
  axis: z.enum(["time", "steps"]),
  speed: z.union([z.literal(0.25), z.literal(0.5), z.literal(1), z.literal(2), z.literal(4)]),
  /** Shortcuts of one letter, which get in the way of some who speak to their computer. */
  letterKeys: z.boolean(),
  /** Earlier visits may have kept none, later ones another. */
  language: z.catch(z.enum(["system", ...LANGUAGE_TAGS]), "system"),
});

/** How a person likes the page; how they like to look at runs is kept with it, and stands in the player's own store. */
export type Preferences = Omit<z.infer<typeof schema>, keyof Display>;
export type Theme = Preferences["theme"];

export const THEMES: readonly Theme[] = ["system", "light", "dark"];

const DEFAULTS: Preferences = { theme: "system", letterKeys: true, language: "system" };
const KEY = "elf.preferences";

export interface PreferencesStore extends Preferences {
  set(change: Partial<Preferences>): void;
}

/** Has `display` as an earlier visit left it, and keeps it from now on. */
export function createPreferences(
  storage: TextStorage | null,
  display: StoreApi<DisplayStore>,
): StoreApi<PreferencesStore> {
  const { theme, letterKeys, language, ...looks } = { ...DEFAULTS, ...readKept(storage, KEY, schema) };
  display.getState().set(looks);
  const store = createStore<PreferencesStore>()((set) => ({
    theme,
    letterKeys,
    language,
    set: (change) => set(change),
  }));
  const liked = ({ theme, letterKeys, language }: Preferences): Preferences => ({ theme, letterKeys, language });
  const looked = ({ reading, axis, speed }: Display): Display => ({ reading, axis, speed });
  // Another tab may have changed the others since.
  const withChanged = <T extends object>(picked: T, before: T) => ({
    ...liked(store.getState()),
    ...looked(display.getState()),
    ...readKept(storage, KEY, schema),
    ...differing(picked, before),
  });
  keep(store, storage, KEY, liked, withChanged);
  keep(display, storage, KEY, looked, withChanged);
  return store;
}

/** What of `now` is other than before. */
function differing<T extends object>(now: T, before: T): Partial<T> {
  const names = Object.keys(now) as (keyof T)[];
  return Object.fromEntries(
    names.filter((name) => now[name] !== before[name]).map((name) => [name, now[name]]),
  ) as Partial<T>;
}
