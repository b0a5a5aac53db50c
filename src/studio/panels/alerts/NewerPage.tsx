import { useStore } from "zustand";
import { useStudio } from "../StudioContext";
import styles from "./NewerPage.module.css";

/** Says that a newer page is here. It waits for a press: nobody's text goes away under their eyes. */
export function NewerPage() {
  const { offline } = useStudio();
  const { isNewerHere, takeNewer } = useStore(offline, (state) => state);
  return (
    <div role="status" data-testid="newer-page">
      {isNewerHere && (
        <p className={styles.newerPage}>
          <span>A newer version of this page is here.</span>{" "}
          <button type="button" className={styles.take} onClick={takeNewer}>
            Load it
          </button>{" "}
          <span>Your runs stay.</span>
        </p>
      )}
    </div>
  );
}
