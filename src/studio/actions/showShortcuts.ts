import type { Action } from "./action";

export const showShortcuts: Action = {
  id: "show-shortcuts",
  label: "Show this list",
  group: "View",
  shortcuts: [{ key: "?" }],
  enabled: () => true,
  run: ({ view }) => view.getState().openShortcuts(true),
};
