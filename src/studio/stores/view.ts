import { createStore, type StoreApi } from "zustand/vanilla";
import type { Recipe } from "../../flow/recipe";

/** What is open on the page right now; none of it outlives the visit. */
export interface ViewStore {
  readonly shortcutsOpen: boolean;
  /** Whether a recorded run is shipped for this model. */
  readonly recording: "coming" | "here" | "none";
  /** Position of the token whose alternatives are shown; null for none. */
  readonly inspected: number | null;
  /** Whether it stays when the pointer goes away. */
  readonly pinned: boolean;
  /** Something just done that cannot be seen otherwise, said for a short while. */
  readonly said: string;
  /** A run that the address tells of, to be written if the person likes. */
  readonly linked: Recipe | null;

  openShortcuts(open: boolean): void;
  setRecording(recording: ViewStore["recording"]): void;
  /** Looks at a token in passing; a pinned one stays. */
  glance(position: number | null): void;
  /** Looks at a token until told otherwise; the same again lets go. */
  pin(position: number | null): void;
  say(what: string): void;
  offer(linked: Recipe | null): void;
}

export function createView(): StoreApi<ViewStore> {
  return createStore<ViewStore>()((set) => ({
    shortcutsOpen: false,
    recording: "coming",
    inspected: null,
    pinned: false,
    said: "",
    linked: null,

    openShortcuts: (shortcutsOpen) => set({ shortcutsOpen }),
    setRecording: (recording) => set({ recording }),
    glance: (position) => set(({ pinned }) => (pinned ? {} : { inspected: position })),
    pin: (position) =>
      set(({ pinned, inspected }) =>
        position === null || (pinned && inspected === position)
          ? { inspected: null, pinned: false }
          : { inspected: position, pinned: true },
      ),
    say: (said) => set({ said }),
    offer: (linked) => set({ linked }),
  }));
}
