import { useEffect } from "react";
import { useStore } from "zustand";
import { Part } from "../alerts/Part";
import { useStudio, useWords } from "../StudioContext";
import { RunCard } from "./RunCard";
import { RunTree } from "./RunTree";
import styles from "./Shelf.module.css";

/** Seconds in which a deletion can be taken back. */
const UNDO_SECONDS = 8;

/** Every run there is to look at. A new one never takes the place of an old one. */
export function Shelf() {
  const studio = useStudio();
  const words = useWords();
  const { runs, selectedId, deleted } = useStore(studio.runs, (state) => state);

  useEffect(() => {
    if (!deleted) return;
    const timer = setTimeout(() => studio.runs.getState().forget(), 1000 * UNDO_SECONDS);
    return () => clearTimeout(timer);
  }, [deleted, studio.runs]);

  if (runs.length === 0 && !deleted) return null;
  return (
    <section className={styles.shelf} aria-label={words.runs.label}>
      <div className={styles.shelfRow}>
        <RunTree />
        <ul>
          {runs.map((run) => (
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
              <RunCard run={run} selected={run.id === selectedId} />
            </Part>
          ))}
        </ul>
      </div>
      {deleted && (
        <p className={styles.shelfUndo} role="status">
          <span>{words.runs.deleted}</span>
          <button type="button" onClick={() => studio.runs.getState().restore()}>
            {words.runs.undo}
          </button>
        </p>
      )}
    </section>
  );
}
