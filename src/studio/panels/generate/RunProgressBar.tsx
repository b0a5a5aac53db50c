import { useStore } from "zustand";
import { stepsOf } from "../../../player/run/run";
import { PHASE_RUNS } from "../../session/experiments/phases";
import { useStudio, useWords } from "../StudioContext";
import { ProgressBar } from "../ui/ProgressBar";

export function RunProgressBar() {
  const studio = useStudio();
  const { generate: words, lensPanel } = useWords();
  const runId = useStore(studio.generation, ({ runId }) => runId);
  const ofShelf = useStore(studio.runs, ({ runs }) => runs.find(({ id }) => id === runId));
  const ofGrid = useStore(studio.comparison, ({ laid }) => laid.find(({ id }) => id === runId));
  const counted = useStore(studio.phases, ({ counting, counted }) =>
    counting === null ? null : (counted.get(counting)?.holds.runs ?? 0),
  );
  const settings = useStore(studio.settings, ({ values }) => values);
  const recall = useStore(studio.generation, ({ recall }) => recall);
  if (recall) {
    return (
      <ProgressBar
        label={words.recalling}
        phase={words.recall(recall.done, recall.total)}
        detail=""
        share={recall.done / recall.total}
      />
    );
  }
  // Of these runs none lies anywhere.
  if (counted !== null) {
    return (
      <ProgressBar
        label={words.writing}
        phase={lensPanel.counted(counted, PHASE_RUNS)}
        detail=""
        share={counted / PHASE_RUNS}
      />
    );
  }
  const run = ofShelf ?? ofGrid;
  const total = run ? stepsOf(run) : settings.steps;
  const first = run?.trajectory.from?.step ?? 0;
  const step = Math.max(first, (run?.trajectory.frames.length ?? 0) - 1);
  const left = run ? secondsLeft(run.startedAt, step - first, total - first) : null;
  return (
    <ProgressBar
      label={words.writing}
      phase={words.step(step, total)}
      detail={left === null ? "" : words.secondsLeft(left)}
      share={(step - first) / Math.max(1, total - first)}
    />
  );
}

/** Reckoned from the steps so far; null until there are two. */
function secondsLeft(startedAt: number, step: number, total: number): number | null {
  if (step < 2 || step >= total) return null;
  const seconds = (((Date.now() - startedAt) / step) * (total - step)) / 1000;
  return Math.max(1, Math.ceil(seconds));
}
