import type { Action } from "./action";

export const playPause: Action = {
  id: "play-pause",
  label: "Play or pause",
  group: "Time",
  shortcuts: [{ key: " " }],
  enabled: ({ playback }) => playback.getState().last > 0,
  run: ({ playback }) => playback.getState().toggle(),
};
