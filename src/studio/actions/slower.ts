import { SPEEDS } from "../stores/preferences";
import type { Action } from "./action";

export const slower: Action = {
  id: "slower",
  label: "Play slower",
  group: "Time",
  shortcuts: [{ key: "[" }],
  enabled: ({ preferences }) => preferences.getState().speed !== SPEEDS[0],
  run: ({ preferences }) => preferences.getState().shiftSpeed(-1),
};
