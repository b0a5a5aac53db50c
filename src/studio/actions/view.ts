import { recipeOf } from "../../flow/recipe";
import { linkTo } from "../../format/link";
import { ENGLISH_LENSES, type LensId } from "../../player/lenses/words";
import { THEMES } from "../session/kept/preferences";
import { parentOf } from "../session/runs/family";
import { selectedRun } from "../session/runs/runs";
import type { Run } from "../session/runs/shelfRun";
import type { Studio } from "../session/studio";
import { LANGUAGE_TAGS } from "../words/languages";
import type { Action } from "./action";
import { openDocumentation } from "./documentation";
import { openFile } from "./openFile";
import { sayShared } from "./sharing";

export const switchReading: Action = {
  id: "switch-reading",
  group: "View",
  shortcuts: [{ key: "r" }],
  enabled: () => true,
  run: ({ player }) => player.display.getState().switchReading(),
};

export const switchAxis: Action = {
  id: "switch-axis",
  group: "View",
  shortcuts: [{ key: "e" }],
  enabled: () => true,
  run: ({ player }) => player.display.getState().switchAxis(),
};

export const nextLens: Action = {
  id: "next-lens",
  group: "View",
  shortcuts: [{ key: "v" }],
  enabled: ({ player }) => player.run.getState() !== null,
  run: ({ view }) => {
    const { lens, lookThrough } = view.getState();
    const all = [null, ...(Object.keys(ENGLISH_LENSES.titles) as LensId[])];
    lookThrough(all[(all.indexOf(lens) + 1) % all.length] ?? null);
  },
};

export const switchTheme: Action = {
  id: "switch-theme",
  group: "View",
  shortcuts: [{ key: "t" }],
  enabled: () => true,
  run: ({ preferences }) => {
    const { theme, set } = preferences.getState();
    set({ theme: THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system" });
  },
};

/** Without a key: nobody is to lose the language by a slip. */
export const switchLanguage: Action = {
  id: "switch-language",
  group: "View",
  shortcuts: [],
  enabled: () => true,
  run: ({ preferences, words }) => {
    const next = (LANGUAGE_TAGS.indexOf(words.getState().language) + 1) % LANGUAGE_TAGS.length;
    preferences.getState().set({ language: LANGUAGE_TAGS[next] ?? "system" });
  },
};

export const newerRun: Action = {
  id: "newer-run",
  group: "View",
  shortcuts: [{ key: "," }],
  enabled: (studio) => neighbourOnShelf(studio, -1) !== undefined,
  run: (studio) => {
    const run = neighbourOnShelf(studio, -1);
    if (run) studio.show(run.id);
  },
};

export const olderRun: Action = {
  id: "older-run",
  group: "View",
  shortcuts: [{ key: "." }],
  enabled: (studio) => neighbourOnShelf(studio, 1) !== undefined,
  run: (studio) => {
    const run = neighbourOnShelf(studio, 1);
    if (run) studio.show(run.id);
  },
};

export const showModels: Action = {
  id: "show-models",
  group: "View",
  shortcuts: [{ key: "m" }],
  enabled: () => true,
  run: ({ library }) => library.getState().show(true),
};

export const showParent: Action = {
  id: "show-parent",
  group: "View",
  shortcuts: [{ key: "p" }],
  enabled: (studio) => parentShown(studio) !== undefined,
  run: (studio) => {
    const step = selectedRun(studio.runs.getState())?.trajectory.from?.step;
    const parent = parentShown(studio);
    if (!parent || step === undefined) return;
    const show = () => {
      studio.show(parent.id);
      if (selectedRun(studio.runs.getState())?.id === parent.id) studio.player.playback.getState().seek(step);
    };
    // Its frames have to be there before one of them is gone to.
    if (parent.folded) void studio.folding.unfold([parent]).then(show);
    else show();
  },
};

export const copyLink: Action = {
  id: "copy-link",
  group: "View",
  shortcuts: [{ key: "s" }],
  enabled: ({ runs, model }) => selectedRun(runs.getState())?.trajectory.model === model.getState().name,
  run: (studio) => {
    const run = selectedRun(studio.runs.getState());
    if (!run) return;
    sayShared(studio, linkTo(recipeOf(run.trajectory)), null, studio.words.getState().said.linkCopied);
  },
};

export const saveRun: Action = {
  id: "save-run",
  group: "View",
  shortcuts: [{ key: "a" }],
  enabled: ({ runs }) => (selectedRun(runs.getState())?.trajectory.frames.length ?? 0) > 0,
  run: ({ view, player }) => {
    const { index, live, seek } = player.playback.getState();
    // The step that is saved is the one that was seen; a run being written is followed all the same.
    if (!live) seek(index);
    view.getState().openSaving(true);
  },
};

export const copyEmbed: Action = {
  id: "copy-embed",
  group: "View",
  shortcuts: [{ key: "w" }],
  enabled: copyLink.enabled,
  run: ({ runs, view, words, model, copyEmbed }) => {
    const run = selectedRun(runs.getState());
    if (!run) return;
    const { name, choice } = model.getState();
    void copyEmbed(run, choice.kind === "shipped" ? name : null).then(
      () => view.getState().say(words.getState().said.embedCopied),
      () => view.getState().say(words.getState().said.notCopied),
    );
  },
};

export const showLegend: Action = {
  id: "show-legend",
  group: "View",
  shortcuts: [{ key: "k" }],
  enabled: ({ player }) => player.run.getState() !== null,
  run: ({ view }) => view.getState().openLegend(!view.getState().legendOpen),
};

export const openPalette: Action = {
  id: "open-palette",
  group: "View",
  shortcuts: [{ key: "k", ctrl: true }],
  enabled: () => true,
  run: ({ view }) => {
    view.getState().openShortcuts(false);
    view.getState().openPalette(true);
  },
};

export const showShortcuts: Action = {
  id: "show-shortcuts",
  group: "View",
  shortcuts: [{ key: "?" }],
  enabled: () => true,
  run: ({ view }) => view.getState().openShortcuts(true),
};

/** In the order of the list of shortcuts. */
export const VIEW: readonly Action[] = [
  switchReading,
  switchAxis,
  nextLens,
  switchTheme,
  switchLanguage,
  newerRun,
  olderRun,
  showModels,
  showParent,
  copyLink,
  openFile,
  saveRun,
  copyEmbed,
  // No word of what is not there.
  ...(openDocumentation.enabled() ? [openDocumentation] : []),
  showLegend,
  openPalette,
  showShortcuts,
];

function parentShown({ runs }: Studio) {
  const run = selectedRun(runs.getState());
  return run && parentOf(run, runs.getState().runs);
}

/** The run next to the selected one on the shelf: newer (−1) or older (+1). */
function neighbourOnShelf({ runs }: Studio, by: 1 | -1): Run | undefined {
  const { runs: shelf, selectedId } = runs.getState();
  const at = shelf.findIndex(({ id }) => id === selectedId);
  return at < 0 ? undefined : shelf[at + by];
}
