import { type Shortcut, shortcutKeys } from "../../actions/action";
import styles from "./Shortcuts.module.css";

/** Shortcuts as keys to look at. Screen readers get them from `aria-keyshortcuts`, or in a list from `spoken`. */
export function Shortcuts({ shortcuts, spoken = false }: { shortcuts: readonly Shortcut[]; spoken?: boolean }) {
  return (
    <span className={styles.shortcuts} aria-hidden={!spoken}>
      {shortcuts.map((shortcut) => (
        <kbd translate="no" key={shortcutKeys(shortcut).join("+")}>
          {shortcutKeys(shortcut).join(" ")}
        </kbd>
      ))}
    </span>
  );
}
