import { SPEEDS } from "../stores/preferences";
import type { Action } from "./action";

export const faster: Action = {
  id: "faster",
  label: "Play faster",
  group: "Time",
  shortcuts: [{ key: "]" }],
  enabled: ({ preferences }) => preferences.getState().speed !== SPEEDS.at(-1),
  run: ({ preferences }) => preferences.getState().shiftSpeed(1),
};
