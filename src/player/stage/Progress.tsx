import { type ReadingName, unreadSteps } from "../../flow/trajectory";
import { usePlayer } from "../PlayerContext";
import { type ShownRun, stepsOf } from "../run/run";

import { settlingOf } from "../run/settling";
import type { Words } from "../words";
import styles from "./Progress.module.css";

/** What can be said about the run at this frame: how much of it has settled, or how far it has got. */
export function Progress({ run, index, reading }: { run: ShownRun; index: number; reading: ReadingName }) {
  const { words } = usePlayer();
  return (
    <p className={styles.progress} data-testid="settled">
      {progressOf(run, index, reading, words)}
    </p>
  );
}

export function progressOf(
  run: ShownRun,
  index: number,
  reading: ReadingName,
  { progress }: Pick<Words, "progress">,
): string {
  const settling = settlingOf(run, reading);
  const { frames } = run.trajectory;
  if (settling) {
    return progress.settled(settling.wordsByFrame[index] ?? 0, settling.words);
  }
  // What has settled is known only at the end: any word may still change.
  const reached = [Math.max(0, frames.length - 1), stepsOf(run)] as const;
  if (run.status === "running") return progress.writing(...reached);
  if (run.status === "done") {
    const all = stepsOf(run);
    return progress.reading(Math.max(0, all - unreadSteps(frames).length), all);
  }
  return run.status === "failed" ? progress.failed(...reached) : progress.stopped(...reached);
}
