import type { Action } from "./action";
import { neighbourOnShelf } from "./neighbour";

export const olderRun: Action = {
  id: "older-run",
  label: "Show the older run on the shelf",
  group: "View",
  shortcuts: [{ key: "." }],
  enabled: (studio) => neighbourOnShelf(studio, 1) !== undefined,
  run: (studio) => {
    const run = neighbourOnShelf(studio, 1);
    if (run) studio.runs.getState().select(run.id);
  },
};
