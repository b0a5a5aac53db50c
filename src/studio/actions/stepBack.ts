import type { Action } from "./action";

export const stepBack: Action = {
  id: "step-back",
  label: "One step towards noise",
  group: "Time",
  shortcuts: [{ key: "ArrowLeft" }],
  enabled: ({ player }) => player.playback.getState().index > 0,
  run: ({ player }) => player.playback.getState().step(-1),
};
