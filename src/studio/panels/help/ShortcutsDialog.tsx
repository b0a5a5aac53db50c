import { useStore } from "zustand";
import { ACTIONS } from "../../actions/all";
import { useStudio } from "../StudioContext";
import { Sheet } from "../ui/Sheet";
import { Shortcuts } from "../ui/Shortcuts";
import styles from "./ShortcutsDialog.module.css";

const GROUPS = ["Writing", "Time", "View"] as const;

export function ShortcutsDialog() {
  const studio = useStudio();
  const open = useStore(studio.view, ({ shortcutsOpen }) => shortcutsOpen);
  const letterKeys = useStore(studio.preferences, ({ letterKeys }) => letterKeys);
  return (
    <Sheet title="Keyboard" open={open} onOpen={studio.view.getState().openShortcuts}>
      <div className={styles.dialogGroups}>
        {GROUPS.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <ul>
              {ACTIONS.filter((action) => action.group === group).map(({ id, label, shortcuts }) => (
                <li key={id}>
                  <span>{label}</span>
                  <Shortcuts shortcuts={shortcuts} spoken />
                </li>
              ))}
            </ul>
          </section>
        ))}
      </div>
      <p className={styles.dialogNote}>In the text, Tab reaches the tokens; arrows move from one to the next.</p>
      <label className={styles.dialogSwitch}>
        <input
          type="checkbox"
          checked={letterKeys}
          onChange={({ target }) => studio.preferences.getState().set({ letterKeys: target.checked })}
        />
        Shortcuts of a single letter or sign
      </label>
    </Sheet>
  );
}
