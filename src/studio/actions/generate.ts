import type { Action } from "./action";

export const generate: Action = {
  id: "generate",
  label: "Generate a text",
  group: "Writing",
  shortcuts: [{ key: "g" }, { key: "Enter", ctrl: true }],
  enabled: ({ generation, settings }) =>
    generation.getState().phase !== "loading" && Object.keys(settings.getState().refusals).length === 0,
  run: ({ generation }) => void generation.getState().start(),
};
