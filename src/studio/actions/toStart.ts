import type { Action } from "./action";

export const toStart: Action = {
  id: "to-start",
  label: "Back to pure noise",
  group: "Time",
  shortcuts: [{ key: "Home" }],
  enabled: ({ playback }) => playback.getState().last >= 0,
  run: ({ playback }) => playback.getState().seek(0),
};
