import { type ReadingName, type ShownRun, stepsOf } from "../run/run";
import { settlingOf } from "../run/settling";

/** What can be said about the run at this frame: how much of it has settled, or how far it has got. */
export function Progress({ run, index, reading }: { run: ShownRun; index: number; reading: ReadingName }) {
  return (
    <p className="progress-note" data-testid="settled">
      {sentence(run, index, reading)}
    </p>
  );
}

function sentence(run: ShownRun, index: number, reading: ReadingName): string {
  const settling = settlingOf(run, reading);
  const { frames } = run.trajectory;
  if (settling) {
    const settled = settling.wordsByFrame[index] ?? 0;
    return `${settled} of ${settling.words} ${settling.words === 1 ? "word" : "words"} settled`;
  }
  // What has settled is known only at the end: any word may still change.
  const reached = `step ${Math.max(0, frames.length - 1)} of ${stepsOf(run)}`;
  if (run.status === "running") return `Writing, ${reached}`;
  return run.status === "failed" ? `Failed after ${reached}` : `Stopped at ${reached}`;
}
