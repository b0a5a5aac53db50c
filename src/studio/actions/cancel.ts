import type { Action } from "./action";

export const cancel: Action = {
  id: "cancel",
  label: "Cancel; what was written stays",
  group: "Writing",
  shortcuts: [{ key: "Escape" }],
  enabled: ({ generation }) => generation.getState().phase !== "idle" && !generation.getState().cancelling,
  run: ({ generation }) => void generation.getState().cancel(),
};
