import { useStore } from "zustand";
import { stepsOf } from "../../../player/run/run";
import { useStudio } from "../StudioContext";
import { ProgressBar } from "../ui/ProgressBar";

export function RunProgressBar() {
  const studio = useStudio();
  const runId = useStore(studio.generation, ({ runId }) => runId);
  const run = useStore(studio.runs, ({ runs }) => runs.find(({ id }) => id === runId));
  const settings = useStore(studio.settings, ({ values }) => values);
  const recall = useStore(studio.generation, ({ recall }) => recall);
  if (recall) {
    return (
      <ProgressBar
        label="Writing the earlier run again"
        phase={`Back to where it goes on: step ${recall.done} of ${recall.total}`}
        detail=""
        share={recall.done / recall.total}
      />
    );
  }
  const total = run ? stepsOf(run) : settings.steps;
  const first = run?.trajectory.from?.step ?? 0;
  const step = Math.max(first, (run?.trajectory.frames.length ?? 0) - 1);
  return (
    <ProgressBar
      label="Writing the text"
      phase={`Step ${step} of ${total}`}
      detail={run ? timeLeft(run.startedAt, step - first, total - first) : ""}
      share={(step - first) / Math.max(1, total - first)}
    />
  );
}

/** Reckoned from the steps so far; nothing until there are two. */
function timeLeft(startedAt: number, step: number, total: number): string {
  if (step < 2 || step >= total) return "";
  const seconds = (((Date.now() - startedAt) / step) * (total - step)) / 1000;
  return `${Math.max(1, Math.ceil(seconds))} s left`;
}
