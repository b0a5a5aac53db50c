import type { StoreApi } from "zustand/vanilla";
import type { PreferencesStore } from "./kept/preferences";

/** Puts the chosen theme on the document, now and whenever it changes; `base.css` does the rest. */
export function applyTheme(preferences: StoreApi<PreferencesStore>, root = document.documentElement): void {
  const apply = () => {
    root.dataset.theme = preferences.getState().theme;
  };
  apply();
  preferences.subscribe(apply);
}
