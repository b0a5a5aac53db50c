import type { Action } from "./action";

export const showModels: Action = {
  id: "show-models",
  label: "Show the models",
  group: "View",
  shortcuts: [{ key: "m" }],
  enabled: () => true,
  run: ({ library }) => library.getState().show(true),
};
