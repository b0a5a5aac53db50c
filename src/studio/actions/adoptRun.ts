import { rootOf } from "../../flow/recipe";
import { tokenName } from "../../player/run/pieces";
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
    const { adopt, values } = settings.getState();
    // Without a prompt ω had no effect: the person's own stays, for when there is one again.
    adopt(prompt ? run.trajectory.settings : { ...run.trajectory.settings, cfgScale: values.cfgScale });
    draft.getState().setPrompt(!prompt ? "" : "text" in prompt ? prompt.text : prompt.ids.join(", "));
    const { held = [] } = run.trajectory;
    draft.getState().holdOnly(held.map((at) => ({ ...at, word: tokenName(at.token, run.pieces, run.eos) })));
    view.getState().say("Settings, seed and held words are those of this run.");
  },
};
