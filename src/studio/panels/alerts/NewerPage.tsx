import { useStore } from "zustand";
import { useStudio, useWords } from "../StudioContext";
import styles from "./NewerPage.module.css";

/** Says that a newer page is here. It waits for a press: nobody's text goes away under their eyes. */
export function NewerPage() {
  const { offline } = useStudio();
  const { keeping } = useWords();
  const { isNewerHere, takeNewer } = useStore(offline, (state) => state);
  return (
    <div role="status" data-testid="newer-page">
      {isNewerHere && (
        <p className={styles.newerPage}>
          <span>{keeping.newer}</span>{" "}
          <button type="button" className={styles.take} onClick={takeNewer}>
            {keeping.load}
          </button>{" "}
          <span>{keeping.runsStay}</span>
        </p>
      )}
    </div>
  );
}
