import { stepsOf } from "../../player/run/run";
import { selectedRun } from "../stores/runs";
import type { Action } from "./action";

export const fork: Action = {
  id: "fork",
  label: "Go on from the step shown, with the settings as they stand",
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
