import { SPEEDS } from "../../player/display";
import type { Action } from "./action";

export const faster: Action = {
  id: "faster",
  label: "Play faster",
  group: "Time",
  shortcuts: [{ key: "]" }],
  enabled: ({ player }) => player.display.getState().speed !== SPEEDS.at(-1),
  run: ({ player }) => player.display.getState().shiftSpeed(1),
};
