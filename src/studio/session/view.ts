import { createStore, type StoreApi } from "zustand/vanilla";
import type { Recipe } from "../../flow/recipe";
import type { LensId } from "../../player/lenses/words";
import type { Experiment } from "./experiments/experiments";

/** A run that the address tells of, and the experiment that is to be made of it, if one is. */
export interface Linked {
  /** Name of the model that it is a run of; while another is in use it is not offered, for that would write something else. */
  readonly model: string;
  readonly recipe: Recipe;
  readonly experiment?: Experiment;
}

/** What is open on the page right now; none of it outlives the visit. */
export interface ViewStore {
  readonly shortcutsOpen: boolean;
  readonly experimentsOpen: boolean;
  readonly paletteOpen: boolean;
  /** Whether it is told what the marks on the stage mean. */
  readonly legendOpen: boolean;
  /** Whether the ways to save the run shown are open. */
  readonly savingOpen: boolean;
  /** Whether a recorded run is shipped for this model. */
  readonly recording: "coming" | "here" | "none";
  /** Something just done that cannot be seen otherwise, said for a short while. */
  readonly said: string;
  /** A run that the address tells of, to be written if the person likes. */
  readonly linked: Linked | null;
  /** The picture of the run that is open under its text. */
  readonly lens: LensId | null;
  /** Whether the box for the prompt is open where there is room for no more than a bar of it. */
  readonly promptOpen: boolean;

  openShortcuts(open: boolean): void;
  openExperiments(open: boolean): void;
  openPalette(open: boolean): void;
  openLegend(open: boolean): void;
  openSaving(open: boolean): void;
  setRecording(recording: ViewStore["recording"]): void;
  say(what: string): void;
  offer(linked: Linked | null): void;
  lookThrough(lens: LensId | null): void;
  openPrompt(open: boolean): void;
}

export function createView(): StoreApi<ViewStore> {
  return createStore<ViewStore>()((set) => ({
    shortcutsOpen: false,
    experimentsOpen: false,
    paletteOpen: false,
    legendOpen: false,
    savingOpen: false,
    recording: "coming",
    said: "",
    linked: null,
    lens: null,
    promptOpen: false,

    openShortcuts: (shortcutsOpen) => set({ shortcutsOpen }),
    openExperiments: (experimentsOpen) => set({ experimentsOpen }),
    openPalette: (paletteOpen) => set({ paletteOpen }),
    openLegend: (legendOpen) => set({ legendOpen }),
    openSaving: (savingOpen) => set({ savingOpen }),
    setRecording: (recording) => set({ recording }),
    say: (said) => set({ said }),
    offer: (linked) => set({ linked }),
    lookThrough: (lens) => set({ lens }),
    openPrompt: (promptOpen) => set({ promptOpen }),
  }));
}
