import type { Action } from "./action";

export const stepBack: Action = {
  id: "step-back",
  label: "One step towards noise",
  group: "Time",
  shortcuts: [{ key: "ArrowLeft" }],
  enabled: ({ playback }) => playback.getState().index > 0,
  run: ({ playback }) => playback.getState().step(-1),
};
