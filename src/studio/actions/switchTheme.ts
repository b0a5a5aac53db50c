import { THEMES } from "../stores/preferences";
import type { Action } from "./action";

export const switchTheme: Action = {
  id: "switch-theme",
  label: "Switch between system, light and dark",
  group: "View",
  shortcuts: [{ key: "t" }],
  enabled: () => true,
  run: ({ preferences }) => {
    const { theme, set } = preferences.getState();
    set({ theme: THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system" });
  },
};
