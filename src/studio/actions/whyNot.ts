import type { Studio } from "../session/studio";
import { whyNotReady } from "../session/writing/readiness";
import type { Words } from "../words/english";
import type { Action } from "./action";

type Why = Words["whyNot"];

/** What has to be there first, by the actions' ids; what is not in it can always be done. */
const NEEDS: Readonly<Partial<Record<Action["id"], keyof Why | ((studio: Studio) => string | null)>>> = {
  generate: (studio) => whyNotReady(studio) ?? studio.words.getState().whyNot.loading,
  cancel: "notWriting",
  fork: "fork",
  "hold-token": "noWordLookedAt",
  "let-all-go": "nothingHeld",
  "adopt-run": "ofOthers",
  undo: "nothingChanged",
  redo: "nothingTakenBack",
  "play-pause": "noRun",
  "step-back": "atNoise",
  "step-forward": "atNewest",
  "to-start": "noRun",
  "to-end": "noRun",
  slower: "slowest",
  faster: "fastest",
  "next-lens": "noRun",
  "newer-run": "noNewer",
  "older-run": "noOlder",
  "show-parent": "noParent",
  "copy-link": "ofOthers",
  "copy-embed": "ofOthers",
  "save-run": "noRun",
  "show-legend": "noRun",
  "close-comparison": "noComparison",
};

/** What keeps an action from being done now, in words for the person; null if nothing does. Apart from the actions: nobody needs it before they ask. */
export function whyNot(action: Action, studio: Studio): string | null {
  if (action.enabled(studio)) return null;
  const { whyNot } = studio.words.getState();
  const need = NEEDS[action.id] ?? "otherwise";
  return typeof need === "function" ? need(studio) : whyNot[need];
}
