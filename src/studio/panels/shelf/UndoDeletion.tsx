import { type Ref, useEffect, useState } from "react";
import type { Run } from "../../session/runs/shelfRun";
import { useStudio, useWords } from "../StudioContext";
import styles from "./Shelf.module.css";

/** Seconds in which a deletion can be taken back. */
const UNDO_SECONDS = 8;

/** Says that a run was deleted, and takes that back: for some seconds, which begin anew when the focus goes from here. */
export function UndoDeletion({ deleted, ref }: { deleted: Run; ref: Ref<HTMLButtonElement> }) {
  const { runs } = useStudio();
  const words = useWords().runs;
  const [isFocused, setFocused] = useState(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each deletion has its own time.
  useEffect(() => {
    if (isFocused) return;
    const timer = setTimeout(() => runs.getState().forget(), 1000 * UNDO_SECONDS);
    return () => clearTimeout(timer);
  }, [deleted, isFocused, runs]);
  return (
    <p className={styles.shelfUndo} role="status">
      <span>{words.deleted}</span>
      <button
        ref={ref}
        type="button"
        onFocus={() => setFocused(true)}
        // Of a window that is left, the focus stays where it is.
        onBlur={({ currentTarget }) => setFocused(document.activeElement === currentTarget)}
        onClick={() => runs.getState().restore()}
      >
        {words.undo}
      </button>
    </p>
  );
}
