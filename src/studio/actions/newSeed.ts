import type { Action } from "./action";

export const newSeed: Action = {
  id: "new-seed",
  label: "Draw a new seed",
  group: "Writing",
  shortcuts: [{ key: "n" }],
  enabled: () => true,
  run: ({ settings }) => settings.getState().drawSeed(),
};
