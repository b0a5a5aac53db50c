import type { Action } from "./action";

export const lockSeed: Action = {
  id: "lock-seed",
  label: "Keep the seed for every run, or let it go",
  group: "Writing",
  shortcuts: [{ key: "l" }],
  enabled: () => true,
  run: ({ settings }) => settings.getState().lockSeed(!settings.getState().seedLocked),
};
