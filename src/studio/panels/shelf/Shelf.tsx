import { useMemo, useState } from "react";
import { useStore } from "zustand";
import { Button } from "../../../player/ui/Button";
import { familiesOf } from "../../session/runs/family";
import { Part } from "../alerts/Part";
import { useStudio, useWords } from "../StudioContext";
import { RunCard } from "./RunCard";
import { RunTree } from "./RunTree";
import styles from "./Shelf.module.css";
import { UndoDeletion } from "./UndoDeletion";
import { useFocusKept } from "./useFocusKept";

/** Cards that come at a time: a thousand would take seconds to lay out. */
const MORE = 24;
/** Those behind the one on the stage. */
const SPARE = 2;

/** Every run there is to look at. A new one never takes the place of an old one. */
export function Shelf() {
  const studio = useStudio();
  const words = useWords();
  const { runs, selectedId, deleted } = useStore(studio.runs, (state) => state);
  const [asked, ask] = useState(MORE);
  const families = useMemo(() => familiesOf(runs), [runs]);
  const focus = useFocusKept();

  if (runs.length === 0 && !deleted) return null;
  // The one on the stage is always among them.
  const seen = runs.slice(0, Math.max(asked, runs.findIndex(({ id }) => id === selectedId) + 1 + SPARE));
  return (
    <section className={styles.shelf} aria-label={words.runs.label}>
      <div className={styles.shelfRow}>
        <RunTree runs={seen} />
        <ul ref={focus.list}>
          {seen.map((run) => (
            <Part
              key={run.id}
              isItem
              name={words.parts.run}
              of={run}
              remedy={
                <button type="button" onClick={() => studio.runs.getState().remove(run.id)}>
                  {words.runs.deleteIt}
                </button>
              }
            >
              <RunCard
                run={run}
                selected={run.id === selectedId}
                parent={families.get(run)?.parent}
                forks={families.get(run)?.forks.length ?? 0}
              />
            </Part>
          ))}
          {seen.length < runs.length && (
            <li className={styles.shelfOlder}>
              <Button onClick={() => ask(seen.length + MORE)}>
                {words.runs.older(Math.min(MORE, runs.length - seen.length))}
              </Button>
            </li>
          )}
        </ul>
      </div>
      {deleted && <UndoDeletion deleted={deleted} ref={focus.undo} />}
    </section>
  );
}
