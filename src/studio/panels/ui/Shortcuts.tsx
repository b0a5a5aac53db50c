import { type Shortcut, shortcutKeys } from "../../actions/action";
import { useWords } from "../StudioContext";
import styles from "./Shortcuts.module.css";

/** Shortcuts as keys to look at. Screen readers get them from `aria-keyshortcuts`, or in a list from `spoken`. */
export function Shortcuts({ shortcuts, spoken = false }: { shortcuts: readonly Shortcut[]; spoken?: boolean }) {
  const words = useWords();
  return (
    <span className={styles.shortcuts} aria-hidden={!spoken}>
      {shortcuts.map((shortcut) => (
        <kbd translate="no" key={shortcutKeys(shortcut, words).join("+")}>
          {shortcutKeys(shortcut, words).join(" ")}
        </kbd>
      ))}
    </span>
  );
}
