import { rootOf } from "../../flow/recipe";
import { tokenName } from "../run/pieces";
import { selectedRun } from "../stores/runs";
import type { Action } from "./action";

export const adoptRun: Action = {
  id: "adopt-run",
  label: "Take settings, seed, prompt and held words from the run shown",
  group: "Writing",
  shortcuts: [{ key: "u" }],
  enabled: ({ runs, model }) => selectedRun(runs.getState())?.trajectory.model === model.getState().name,
  run: ({ runs, settings, draft, view }) => {
    const run = selectedRun(runs.getState());
    if (!run) return;
    const { prompt } = rootOf(run.trajectory);
    settings.getState().adopt(run.trajectory.settings);
    if (prompt) draft.getState().setPrompt("text" in prompt ? prompt.text : prompt.ids.join(", "));
    const { held = [] } = run.trajectory;
    draft.getState().holdOnly(held.map((at) => ({ ...at, word: tokenName(at.token, run.pieces, run.eos) })));
    view.getState().say("Settings, seed and held words are those of this run.");
  },
};
