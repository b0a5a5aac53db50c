import { useStore } from "zustand";
import { Button } from "../../../player/ui/Button";
import { lacksPaths } from "../../session/runs/pathFinding";
import { selectedRun } from "../../session/runs/runs";
import { useStudio, useWords } from "../StudioContext";
import styles from "./Lenses.module.css";

/** How the paths of the run on the stage can be had, or why they cannot. */
export function PathsOffer() {
  const studio = useStudio();
  const words = useWords().lensPanel;
  const run = useStore(studio.runs, selectedRun);
  const chosen = useStore(studio.model, ({ name }) => name);
  const isLoaded = useStore(studio.model, ({ loaded }) => loaded !== null);
  const phase = useStore(studio.generation, ({ phase }) => phase);
  const { findingId, recall, refused } = useStore(studio.pathFinding);
  if (!run || !lacksPaths(run)) return null;
  const refusal = refused.get(run.id);
  if (refusal === "another-text") return <p className={styles.pathsOffer}>{words.pathsOfAnother}</p>;
  // What went wrong is said in English, as every problem is.
  if (refusal) return <p className={styles.pathsOffer} lang="en">{`${refusal.message} ${refusal.action ?? ""}`}</p>;
  if (run.trajectory.model !== chosen) {
    return (
      <p className={styles.pathsOffer}>
        {words.pathsOf} <span>{run.modelTitle}</span>. {words.pathsTurn}
      </p>
    );
  }
  const isFinding = findingId === run.id;
  const label = isFinding ? words.findingPaths : isLoaded ? words.findPaths : words.loadAndFindPaths;
  return (
    <div className={styles.pathsOffer}>
      <Button
        aria-disabled={isFinding || phase !== "idle"}
        onClick={() => void studio.pathFinding.getState().find(run)}
      >
        <span>{label}</span>
      </Button>
      {isFinding && recall && (
        <p>
          <span>{words.writtenAgain(recall.done, recall.total)}</span>
        </p>
      )}
    </div>
  );
}
