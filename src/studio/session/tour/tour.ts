import * as z from "zod/mini";
import { createStore, type StoreApi } from "zustand/vanilla";
import { keep, readKept, type TextStorage } from "../kept/persisted";

/** Where a person is on the tour over the page. */
export interface TourStore {
  /** The stop that is told of, from 0; null while nobody is led. */
  readonly at: number | null;
  /** The stop at which it goes on, on another visit too. */
  readonly reached: number;

  goTo(stop: number): void;
  leave(): void;
}

const KEY = "elf.tour";
const schema = z.object({ reached: z.int().check(z.minimum(0)) });

/** `stops` is how many there are; what was kept of a longer tour begins anew. */
export function createTour(storage: TextStorage | null, stops: number): StoreApi<TourStore> {
  const kept = readKept(storage, KEY, schema)?.reached ?? 0;
  const store = createStore<TourStore>()((set) => ({
    at: null,
    reached: kept < stops ? kept : 0,

    goTo: (stop) => {
      if (Number.isInteger(stop) && stop >= 0 && stop < stops) set({ at: stop, reached: stop });
    },
    leave: () => set(({ at, reached }) => ({ at: null, reached: at === stops - 1 ? 0 : reached })),
  }));
  keep(store, storage, KEY, ({ reached }) => ({ reached }));
  return store;
}
