import type { Action } from "./action";

export const playPause: Action = {
  id: "play-pause",
  label: "Play or pause",
  group: "Time",
  shortcuts: [{ key: " " }],
  enabled: ({ player }) => player.playback.getState().last > 0,
  run: ({ player }) => player.playback.getState().toggle(),
};
