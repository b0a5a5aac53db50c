import { SPEEDS } from "../../player/display";
import type { Action } from "./action";

export const playPause: Action = {
  id: "play-pause",
  group: "Time",
  shortcuts: [{ key: " " }],
  enabled: ({ player }) => player.playback.getState().last > 0,
  run: ({ player }) => player.playback.getState().toggle(),
};

export const stepBack: Action = {
  id: "step-back",
  group: "Time",
  shortcuts: [{ key: "ArrowLeft" }],
  enabled: ({ player }) => player.playback.getState().index > 0,
  run: ({ player }) => player.playback.getState().step(-1),
};

export const stepForward: Action = {
  id: "step-forward",
  group: "Time",
  shortcuts: [{ key: "ArrowRight" }],
  enabled: ({ player }) => player.playback.getState().index < player.playback.getState().last,
  run: ({ player }) => player.playback.getState().step(1),
};

export const toStart: Action = {
  id: "to-start",
  group: "Time",
  shortcuts: [{ key: "Home" }],
  enabled: ({ player }) => player.playback.getState().last >= 0,
  run: ({ player }) => player.playback.getState().seek(0),
};

export const toEnd: Action = {
  id: "to-end",
  group: "Time",
  shortcuts: [{ key: "End" }],
  enabled: ({ player }) => player.playback.getState().last >= 0,
  run: ({ player }) => player.playback.getState().toEnd(),
};

export const slower: Action = {
  id: "slower",
  group: "Time",
  shortcuts: [{ key: "[" }],
  enabled: ({ player }) => player.display.getState().speed !== SPEEDS[0],
  run: ({ player }) => player.display.getState().shiftSpeed(-1),
};

export const faster: Action = {
  id: "faster",
  group: "Time",
  shortcuts: [{ key: "]" }],
  enabled: ({ player }) => player.display.getState().speed !== SPEEDS.at(-1),
  run: ({ player }) => player.display.getState().shiftSpeed(1),
};

/** In the order of the list of shortcuts. */
export const TIME: readonly Action[] = [playPause, stepBack, stepForward, toStart, toEnd, slower, faster];
