import type { Action } from "./action";

export const stepForward: Action = {
  id: "step-forward",
  label: "One step towards text",
  group: "Time",
  shortcuts: [{ key: "ArrowRight" }],
  enabled: ({ playback }) => playback.getState().index < playback.getState().last,
  run: ({ playback }) => playback.getState().step(1),
};
