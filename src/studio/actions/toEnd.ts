import type { Action } from "./action";

export const toEnd: Action = {
  id: "to-end",
  label: "On to the newest step",
  group: "Time",
  shortcuts: [{ key: "End" }],
  enabled: ({ playback }) => playback.getState().last >= 0,
  run: ({ playback }) => {
    const { live, last, seek, play } = playback.getState();
    seek(last);
    // Of a run being written the end is what comes next.
    if (live) play();
  },
};
