import type { Studio } from "../session/studio";
import { whyNotReady } from "../session/writing/readiness";
import type { Action } from "./action";

const NO_RUN = "There is no run to show yet.";
const OF_OTHERS = "It takes a run of the model in use.";

/** What has to be there first, by the actions' ids; what is not in it can always be done. */
const NEEDS: Readonly<Record<string, string | ((studio: Studio) => string | null)>> = {
  generate: (studio) => whyNotReady(studio) ?? "The model is being loaded.",
  cancel: "Nothing is being written.",
  fork: "It takes a run of the model in use, before its last step, and settings that can be used.",
  "hold-token": "Look at a word of the text first.",
  "let-all-go": "No word is held.",
  "adopt-run": OF_OTHERS,
  undo: "Nothing was changed on this visit.",
  redo: "Nothing was taken back.",
  "play-pause": NO_RUN,
  "step-back": "The run shown stands at pure noise.",
  "step-forward": "The run shown stands at its newest step.",
  "to-start": NO_RUN,
  "to-end": NO_RUN,
  slower: "It plays as slowly as it can.",
  faster: "It plays as fast as it can.",
  "next-lens": NO_RUN,
  "newer-run": "No newer run is on the shelf.",
  "older-run": "No older run is on the shelf.",
  "show-parent": "The run shown goes on from no other on the shelf.",
  "copy-link": OF_OTHERS,
  "copy-embed": OF_OTHERS,
  "save-run": NO_RUN,
  "show-legend": NO_RUN,
  "close-comparison": "No runs stand side by side.",
};

/** What keeps an action from being done now, in words for the person; null if nothing does. Apart from the actions: nobody needs it before they ask. */
export function whyNot(action: Action, studio: Studio): string | null {
  if (action.enabled(studio)) return null;
  const need = NEEDS[action.id];
  return (typeof need === "function" ? need(studio) : need) ?? "It cannot be done now.";
}

/** The ids of the actions of which it can be said what they need. */
export const EXPLAINED: readonly string[] = Object.keys(NEEDS);
