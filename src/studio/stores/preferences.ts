import { z } from "zod";
import { createStore, type StoreApi } from "zustand/vanilla";
import { keep, readKept, type TextStorage } from "./persisted";

const schema = z.object({
  theme: z.enum(["system", "light", "dark"]),
  /** Which of a frame's two readings the stage shows. */
  reading: z.enum(["holds", "expects"]),
  /** Whether the track is even in time or in steps. */
  axis: z.enum(["time", "steps"]),
  speed: z.union([z.literal(0.25), z.literal(0.5), z.literal(1), z.literal(2), z.literal(4)]),
  /** Shortcuts of one letter, which get in the way of some who speak to their computer. */
  letterKeys: z.boolean(),
});

/** How a person likes to look at runs; nothing here changes what a run writes. */
export type Preferences = z.infer<typeof schema>;
export type Theme = Preferences["theme"];
export type Axis = Preferences["axis"];
export type Speed = Preferences["speed"];

export const SPEEDS: readonly Speed[] = [0.25, 0.5, 1, 2, 4];
export const THEMES: readonly Theme[] = ["system", "light", "dark"];

const DEFAULTS: Preferences = { theme: "system", reading: "holds", axis: "time", speed: 1, letterKeys: true };
const KEY = "elf.preferences";

export interface PreferencesStore extends Preferences {
  set(change: Partial<Preferences>): void;
  /** The next faster (+1) or slower (−1) speed; stays at the ends. */
  shiftSpeed(by: 1 | -1): void;
}

export function createPreferences(storage: TextStorage | null): StoreApi<PreferencesStore> {
  const store = createStore<PreferencesStore>()((set) => ({
    ...DEFAULTS,
    ...readKept(storage, KEY, schema),
    set: (change) => set(change),
    shiftSpeed: (by) => set(({ speed }) => ({ speed: SPEEDS[SPEEDS.indexOf(speed) + by] ?? speed })),
  }));
  keep(store, storage, KEY, ({ theme, reading, axis, speed, letterKeys }) => ({
    theme,
    reading,
    axis,
    speed,
    letterKeys,
  }));
  return store;
}
