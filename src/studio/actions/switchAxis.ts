import type { Action } from "./action";

export const switchAxis: Action = {
  id: "switch-axis",
  label: "Lay the track out even in t or even in steps",
  group: "View",
  shortcuts: [{ key: "e" }],
  enabled: () => true,
  run: ({ player }) => player.display.getState().switchAxis(),
};
