import { problemOf } from "../../flow/errors";
import { rootOf } from "../../flow/recipe";
import { tokenName } from "../../player/run/pieces";
import { readingAt, stepsOf } from "../../player/run/run";
import { isBegun } from "../session/runs/family";
import { selectedRun } from "../session/runs/runs";
import type { Studio } from "../session/studio";
import type { Linked } from "../session/view";
import { whyNotReady } from "../session/writing/readiness";
import type { Action, Deed } from "./action";
import { beginExperiment } from "./experiments";

export const generate: Action = {
  id: "generate",
  group: "Writing",
  shortcuts: [{ key: "g" }, { key: "Enter", ctrl: true }],
  enabled: (studio) => studio.generation.getState().phase !== "loading" && whyNotReady(studio) === null,
  run: ({ generation }) => void generation.getState().start(),
};

export const cancel: Action = {
  id: "cancel",
  group: "Writing",
  shortcuts: [{ key: "Escape" }],
  enabled: ({ generation }) => generation.getState().phase !== "idle" && !generation.getState().cancelling,
  run: ({ generation }) => void generation.getState().cancel(),
};

export const fork: Action = {
  id: "fork",
  group: "Writing",
  shortcuts: [{ key: "f" }],
  enabled: (studio) => {
    const run = selectedRun(studio.runs.getState());
    if (!run || run.trajectory.model !== studio.model.getState().name) return false;
    const { index } = studio.player.playback.getState();
    const shown = run.trajectory.frames[index] !== undefined;
    // A fork has the prompt of its run, so an empty box does not matter to it.
    const { refusals } = studio.settings.getState();
    const ready = studio.generation.getState().phase !== "loading" && Object.keys(refusals).length === 0;
    return ready && shown && index < stepsOf(run);
  },
  run: ({ runs, player, generation }) => {
    const run = selectedRun(runs.getState());
    if (run) void generation.getState().fork(run, player.playback.getState().index);
  },
};

export const holdToken: Action = {
  id: "hold-token",
  group: "Writing",
  shortcuts: [{ key: "h" }],
  enabled: (studio) => tokenLookedAt(studio) !== undefined,
  run: (studio) => {
    const at = tokenLookedAt(studio);
    if (!at) return;
    const { held, hold, letGo } = studio.draft.getState();
    if (held.some(({ position }) => position === at.position)) letGo(at.position);
    else hold([at]);
  },
};

export const letAllGo: Action = {
  id: "let-all-go",
  group: "Writing",
  shortcuts: [{ key: "x" }],
  enabled: ({ draft }) => draft.getState().held.length > 0,
  run: ({ draft }) => draft.getState().holdOnly([]),
};

export const adoptRun: Action = {
  id: "adopt-run",
  group: "Writing",
  shortcuts: [{ key: "u" }],
  enabled: ({ runs, model }) => selectedRun(runs.getState())?.trajectory.model === model.getState().name,
  run: ({ runs, settings, draft, view, words }) => {
    const run = selectedRun(runs.getState());
    if (!run) return;
    const { prompt } = rootOf(run.trajectory);
    const { adopt, values } = settings.getState();
    // Without a prompt ω had no effect: the person's own stays, for when there is one again.
    adopt(prompt ? run.trajectory.settings : { ...run.trajectory.settings, cfgScale: values.cfgScale });
    draft.getState().setPrompt(!prompt ? "" : "text" in prompt ? prompt.text : prompt.ids.join(", "));
    const { held = [] } = run.trajectory;
    draft
      .getState()
      .holdOnly(held.map((at) => ({ ...at, word: tokenName(at.token, run.pieces, run.eos, words.getState().player) })));
    const { adopted, adoptedStart } = words.getState().said;
    const { towards, back } = rootOf(run.trajectory);
    view.getState().say(towards || back ? adoptedStart : adopted);
  },
};

export const newSeed: Action = {
  id: "new-seed",
  group: "Writing",
  shortcuts: [{ key: "n" }],
  enabled: () => true,
  run: ({ settings }) => settings.getState().drawSeed(),
};

export const lockSeed: Action = {
  id: "lock-seed",
  group: "Writing",
  shortcuts: [{ key: "l" }],
  enabled: () => true,
  run: ({ settings }) => settings.getState().lockSeed(!settings.getState().seedLocked),
};

export const undo: Action = {
  id: "undo",
  group: "Writing",
  shortcuts: [{ key: "z", ctrl: true }],
  enabled: ({ history }) => history.getState().past.length > 0,
  run: ({ history, view }) => view.getState().say(history.getState().undo()),
};

export const redo: Action = {
  id: "redo",
  group: "Writing",
  shortcuts: [
    { key: "z", ctrl: true, shift: true },
    { key: "y", ctrl: true },
  ],
  enabled: ({ history }) => history.getState().future.length > 0,
  run: ({ history, view }) => view.getState().say(history.getState().redo()),
};

/** Writes the run, or the experiment, that the page's address tells of. It is offered in one place only, so it needs no shortcut. */
export const writeLinked: Deed = {
  enabled: ({ view, model, generation }) =>
    view.getState().linked?.model === model.getState().name && generation.getState().phase !== "loading",
  run: (studio) => {
    const { linked, offer } = studio.view.getState();
    if (!linked) return;
    offer(null);
    const { recipe, experiment } = linked;
    if (experiment) void beginExperiment(studio, experiment, recipe);
    else void writeOffered(studio, linked);
  },
};

/**
 * Does once more what failed. Of a link's run, a fork or an experiment the settings do not say what it was, and Generate would
 * write something else. It is offered beside the problem alone, where something can be done once more.
 */
export const tryAgain: Deed = {
  enabled: (studio) => {
    const retry = retryHere(studio);
    if (retry === null) return false;
    if (retry === "generate") return generate.enabled(studio);
    const isRefused = retry.bySettings && Object.keys(studio.settings.getState().refusals).length > 0;
    return studio.generation.getState().phase !== "loading" && !isRefused;
  },
  run: (studio) => {
    const retry = retryHere(studio);
    if (retry === "generate") generate.run(studio);
    else retry?.again().catch((error) => studio.generation.getState().raise(problemOf(error)));
  },
};

/** In the order of the list of shortcuts. */
export const WRITING: readonly Action[] = [
  generate,
  cancel,
  fork,
  holdToken,
  letAllGo,
  adoptRun,
  newSeed,
  lockSeed,
  undo,
  redo,
];

/** Writes a link's run, and offers it again where nothing came of it: only the address tells of it then. */
async function writeOffered({ view, generation, runs }: Studio, linked: Linked): Promise<void> {
  const { recipe, model } = linked;
  await generation.getState().write(recipe);
  // What went wrong is offered beside the problem.
  const isElsewhere = isBegun(recipe, model, runs.getState().runs) || generation.getState().problem !== null;
  if (!isElsewhere && view.getState().linked === null) view.getState().offer(linked);
}

/** What failed; where the model in use is not the one that it was for, what Generate does. */
function retryHere({ generation, model }: Studio) {
  const { retry } = generation.getState();
  return retry && retry !== "generate" && retry.model !== model.getState().name ? "generate" : retry;
}

function tokenLookedAt({ runs, player, model, words }: Studio) {
  const run = selectedRun(runs.getState());
  const position = player.inspection.getState().inspected;
  if (!run || position === null || run.trajectory.model !== model.getState().name) return undefined;
  const token = readingAt(run, player.playback.getState().index, player.display.getState().reading)?.tokens[position];
  if (token === undefined) return undefined;
  return { position, token, word: tokenName(token, run.pieces, run.eos, words.getState().player) };
}
