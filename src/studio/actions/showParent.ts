import { parentOf } from "../run/family";
import { selectedRun } from "../stores/runs";
import type { Studio } from "../studio";
import type { Action } from "./action";

export const showParent: Action = {
  id: "show-parent",
  label: "Show the run that this one goes on from, at that step",
  group: "View",
  shortcuts: [{ key: "p" }],
  enabled: (studio) => parentShown(studio) !== undefined,
  run: (studio) => {
    const step = selectedRun(studio.runs.getState())?.trajectory.from?.step;
    const parent = parentShown(studio);
    if (!parent || step === undefined) return;
    studio.runs.getState().select(parent.id);
    studio.player.playback.getState().seek(step);
  },
};

function parentShown({ runs }: Studio) {
  const run = selectedRun(runs.getState());
  return run && parentOf(run, runs.getState().runs);
}
