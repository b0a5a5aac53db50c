import { tokenName } from "../../player/run/pieces";
import { readingAt } from "../../player/run/run";
import { selectedRun } from "../stores/runs";
import type { Studio } from "../studio";
import type { Action } from "./action";

export const holdToken: Action = {
  id: "hold-token",
  label: "Hold the word looked at in the next run, or let it go",
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

function tokenLookedAt({ runs, player, model }: Studio) {
  const run = selectedRun(runs.getState());
  const position = player.inspection.getState().inspected;
  if (!run || position === null || run.trajectory.model !== model.getState().name) return undefined;
  const token = readingAt(run, player.playback.getState().index, player.display.getState().reading)?.tokens[position];
  return token === undefined ? undefined : { position, token, word: tokenName(token, run.pieces, run.eos) };
}
