import type { Action } from "./action";

export const stepForward: Action = {
  id: "step-forward",
  label: "One step towards text",
  group: "Time",
  shortcuts: [{ key: "ArrowRight" }],
  enabled: ({ player }) => player.playback.getState().index < player.playback.getState().last,
  run: ({ player }) => player.playback.getState().step(1),
};
