import { createStore, type StoreApi } from "zustand/vanilla";
import type { Words } from "../../words/english";

/** What a visit leaves behind for the next one, where the browser lets it. */
export const KEPT = ["runs", "settings", "models"] as const;
export type Kept = (typeof KEPT)[number];

/**
 * What turned out to last for this visit only: browsers forbid storage in private windows, in frames of other sites, under
 * blocked cookies, and when it is full. The page then works from memory.
 */
export interface KeepingStore {
  readonly lost: ReadonlySet<Kept>;
  lose(kind: Kept): void;
}

export function createKeeping(): StoreApi<KeepingStore> {
  return createStore<KeepingStore>()((set) => ({
    lost: new Set(),
    lose: (kind) => set(({ lost }) => (lost.has(kind) ? {} : { lost: new Set([...lost, kind]) })),
  }));
}

/** What is said of it; null while everything is kept. */
export function keepingSentence({ lost }: Pick<KeepingStore, "lost">, { keeping }: Words): string | null {
  const names = KEPT.filter((kind) => lost.has(kind)).map((kind) => keeping.names[kind]);
  return names.length > 0 ? keeping.sentence(names) : null;
}
