import { createStore, type StoreApi } from "zustand/vanilla";

/** What is open on the page right now; none of it outlives the visit. */
export interface ViewStore {
  readonly shortcutsOpen: boolean;
  /** Whether a recorded run is shipped for this model. */
  readonly recording: "coming" | "here" | "none";
  /** Position of the token whose alternatives are shown; null for none. */
  readonly inspected: number | null;
  /** Whether it stays when the pointer goes away. */
  readonly pinned: boolean;

  openShortcuts(open: boolean): void;
  setRecording(recording: ViewStore["recording"]): void;
  /** Looks at a token in passing; a pinned one stays. */
  glance(position: number | null): void;
  /** Looks at a token until told otherwise; the same again lets go. */
  pin(position: number | null): void;
}

export function createView(): StoreApi<ViewStore> {
  return createStore<ViewStore>()((set) => ({
    shortcutsOpen: false,
    recording: "coming",
    inspected: null,
    pinned: false,

    openShortcuts: (shortcutsOpen) => set({ shortcutsOpen }),
    setRecording: (recording) => set({ recording }),
    glance: (position) => set(({ pinned }) => (pinned ? {} : { inspected: position })),
    pin: (position) =>
      set(({ pinned, inspected }) =>
        position === null || (pinned && inspected === position)
          ? { inspected: null, pinned: false }
          : { inspected: position, pinned: true },
      ),
  }));
}
