import type { Action } from "./action";

export const switchReading: Action = {
  id: "switch-reading",
  label: "Switch between what it holds and what it expects",
  group: "View",
  shortcuts: [{ key: "r" }],
  enabled: () => true,
  run: ({ player }) => player.display.getState().switchReading(),
};
