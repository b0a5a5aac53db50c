import { type Action, ariaShortcuts, type Deed, perform } from "../../actions/action";
import { useStudio, useStudioValue } from "../StudioContext";

/** Whether it can be done now. Whoever draws a button for it need not know why. */
export function useEnabled(deed: Deed): boolean {
  return useStudioValue((studio) => deed.enabled(studio));
}

/** What makes a `button` that of an action: its press, its shortcuts, and whether it is live. */
export function useAction(deed: Deed & Partial<Pick<Action, "shortcuts">>) {
  const studio = useStudio();
  const enabled = useEnabled(deed);
  return {
    type: "button",
    "aria-keyshortcuts": deed.shortcuts && ariaShortcuts(deed.shortcuts),
    // Not `disabled`: a button that goes dead under the finger must not lose the keyboard's place.
    "aria-disabled": !enabled,
    onClick: () => perform(deed, studio),
  } as const;
}
