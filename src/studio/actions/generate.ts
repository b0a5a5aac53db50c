import { whyNotReady } from "../readiness";
import type { Action } from "./action";

export const generate: Action = {
  id: "generate",
  label: "Generate a text",
  group: "Writing",
  shortcuts: [{ key: "g" }, { key: "Enter", ctrl: true }],
  enabled: (studio) => studio.generation.getState().phase !== "loading" && whyNotReady(studio) === null,
  run: ({ generation }) => void generation.getState().start(),
};
