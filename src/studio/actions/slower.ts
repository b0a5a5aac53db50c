import { SPEEDS } from "../../player/display";
import type { Action } from "./action";

export const slower: Action = {
  id: "slower",
  label: "Play slower",
  group: "Time",
  shortcuts: [{ key: "[" }],
  enabled: ({ player }) => player.display.getState().speed !== SPEEDS[0],
  run: ({ player }) => player.display.getState().shiftSpeed(-1),
};
