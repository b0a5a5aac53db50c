import { createStore, type StoreApi } from "zustand/vanilla";

/** Which token is looked at. */
export interface InspectionStore {
  /** Position of the token whose alternatives are shown; null for none. */
  readonly inspected: number | null;
  /** Whether it stays when the pointer goes away. */
  readonly pinned: boolean;

  /** Looks at a token in passing; a pinned one stays. */
  glance(position: number | null): void;
  /** Looks at a token until told otherwise; the same again lets go. */
  pin(position: number | null): void;
}

export function createInspection(): StoreApi<InspectionStore> {
  return createStore<InspectionStore>()((set) => ({
    inspected: null,
    pinned: false,

    glance: (position) => set(({ pinned }) => (pinned ? {} : { inspected: position })),
    pin: (position) =>
      set(({ pinned, inspected }) =>
        position === null || (pinned && inspected === position)
          ? { inspected: null, pinned: false }
          : { inspected: position, pinned: true },
      ),
  }));
}
