import { SPEEDS } from "../../player/display";
import type { Action } from "./action";

export const playPause: Action = {
  id: "play-pause",
  label: "Play or pause",
  group: "Time",
  shortcuts: [{ key: " " }],
  enabled: ({ player }) => player.playback.getState().last > 0,
  run: ({ player }) => player.playback.getState().toggle(),
};

export const stepBack: Action = {
  id: "step-back",
  label: "One step towards noise",
  group: "Time",
  shortcuts: [{ key: "ArrowLeft" }],
  enabled: ({ player }) => player.playback.getState().index > 0,
  run: ({ player }) => player.playback.getState().step(-1),
};

export const stepForward: Action = {
  id: "step-forward",
  label: "One step towards text",
  group: "Time",
  shortcuts: [{ key: "ArrowRight" }],
  enabled: ({ player }) => player.playback.getState().index < player.playback.getState().last,
  run: ({ player }) => player.playback.getState().step(1),
};

export const toStart: Action = {
  id: "to-start",
  label: "Back to pure noise",
  group: "Time",
  shortcuts: [{ key: "Home" }],
  enabled: ({ player }) => player.playback.getState().last >= 0,
  run: ({ player }) => player.playback.getState().seek(0),
};

export const toEnd: Action = {
  id: "to-end",
  label: "On to the newest step",
  group: "Time",
  shortcuts: [{ key: "End" }],
  enabled: ({ player }) => player.playback.getState().last >= 0,
  run: ({ player }) => player.playback.getState().toEnd(),
};

export const slower: Action = {
  id: "slower",
  label: "Play slower",
  group: "Time",
  shortcuts: [{ key: "[" }],
  enabled: ({ player }) => player.display.getState().speed !== SPEEDS[0],
  run: ({ player }) => player.display.getState().shiftSpeed(-1),
};

export const faster: Action = {
  id: "faster",
  label: "Play faster",
  group: "Time",
  shortcuts: [{ key: "]" }],
  enabled: ({ player }) => player.display.getState().speed !== SPEEDS.at(-1),
  run: ({ player }) => player.display.getState().shiftSpeed(1),
};

/** In the order of the list of shortcuts. */
export const TIME: readonly Action[] = [playPause, stepBack, stepForward, toStart, toEnd, slower, faster];
