import { lazy, Suspense, useState } from "react";
import { useStore } from "zustand";
import { Button } from "../../../player/ui/Button";
import { Choice } from "../../../player/ui/Choice";
import { ACTIONS } from "../../actions/all";
import { openPalette } from "../../actions/view";
import { LANGUAGE_TAGS, LANGUAGES } from "../../words/languages";
import { useStudio, useWords } from "../StudioContext";
import { Icon } from "../ui/Icon";
import { Sheet } from "../ui/Sheet";
import { Shortcuts } from "../ui/Shortcuts";
import { useAction } from "../ui/useAction";
import styles from "./ShortcutsDialog.module.css";

/** Comes when somebody asks. */
const Marks = lazy(async () => ({ default: (await import("../legend/Marks")).Marks }));

const GROUPS = ["Writing", "Time", "View"] as const;

export function ShortcutsDialog() {
  const studio = useStudio();
  const words = useWords();
  const find = useAction(openPalette);
  const [marks, setMarks] = useState(false);
  const open = useStore(studio.view, ({ shortcutsOpen }) => shortcutsOpen);
  const { letterKeys, language } = useStore(studio.preferences, (state) => state);
  return (
    <Sheet title={words.help.title} open={open} onOpen={studio.view.getState().openShortcuts}>
      <Button {...find} className={styles.dialogFind}>
        <Icon name="find" size={16} /> <span>{words.palette.title}</span>
      </Button>
      <div className={styles.dialogGroups}>
        {GROUPS.map((group) => (
          <section key={group}>
            <h3>{words.groups[group]}</h3>
            <ul>
              {ACTIONS.filter((action) => action.group === group && action.shortcuts.length > 0).map(
                ({ id, shortcuts }) => (
                  <li key={id}>
                    <span>{words.actions[id]}</span>
                    <Shortcuts shortcuts={shortcuts} spoken />
                  </li>
                ),
              )}
            </ul>
          </section>
        ))}
      </div>
      <details className={styles.dialogMarks} onToggle={({ currentTarget }) => setMarks(currentTarget.open)}>
        <summary>{words.help.marks}</summary>
        {marks && (
          <Suspense>
            <Marks />
          </Suspense>
        )}
      </details>
      <p className={styles.dialogNote}>{words.help.tokens}</p>
      <label className={styles.dialogSwitch}>
        <input
          type="checkbox"
          checked={letterKeys}
          onChange={({ target }) => studio.preferences.getState().set({ letterKeys: target.checked })}
        />
        {words.help.letterKeys}
      </label>
      <div className={styles.dialogLanguage}>
        <span>{words.help.language}</span>
        <Choice
          label={words.help.language}
          value={language}
          options={[
            { value: "system" as const, label: words.help.ofTheBrowser },
            ...LANGUAGE_TAGS.map((tag) => ({ value: tag, label: LANGUAGES[tag], lang: tag })),
          ]}
          onChange={(language) => studio.preferences.getState().set({ language })}
        />
      </div>
    </Sheet>
  );
}
