import type { Action } from "./action";

export const letAllGo: Action = {
  id: "let-all-go",
  label: "Let all held words go",
  group: "Writing",
  shortcuts: [{ key: "x" }],
  enabled: ({ draft }) => draft.getState().held.length > 0,
  run: ({ draft }) => draft.getState().holdOnly([]),
};
