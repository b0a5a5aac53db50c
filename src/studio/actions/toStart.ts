import type { Action } from "./action";

export const toStart: Action = {
  id: "to-start",
  label: "Back to pure noise",
  group: "Time",
  shortcuts: [{ key: "Home" }],
  enabled: ({ player }) => player.playback.getState().last >= 0,
  run: ({ player }) => player.playback.getState().seek(0),
};
