import type { Action } from "./action";

export const toEnd: Action = {
  id: "to-end",
  label: "On to the newest step",
  group: "Time",
  shortcuts: [{ key: "End" }],
  enabled: ({ player }) => player.playback.getState().last >= 0,
  run: ({ player }) => player.playback.getState().toEnd(),
};
