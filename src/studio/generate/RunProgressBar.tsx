import { useStudioStore } from "../StudioContext";
import { ProgressBar } from "../ui/ProgressBar";

export function RunProgressBar() {
  const runId = useStudioStore("generation", ({ runId }) => runId);
  const run = useStudioStore("runs", ({ runs }) => runs.find(({ id }) => id === runId));
  const settings = useStudioStore("settings", ({ values }) => values);
  const total = run?.trajectory.settings.steps ?? settings.steps;
  const step = Math.max(0, (run?.trajectory.frames.length ?? 0) - 1);
  return (
    <ProgressBar
      label="Writing the text"
      phase={`Step ${step} of ${total}`}
      detail={run ? timeLeft(run.startedAt, step, total) : ""}
      share={step / total}
    />
  );
}

/** Reckoned from the steps so far; nothing until there are two. */
function timeLeft(startedAt: number, step: number, total: number): string {
  if (step < 2 || step >= total) return "";
  const seconds = (((Date.now() - startedAt) / step) * (total - step)) / 1000;
  return `${Math.max(1, Math.ceil(seconds))} s left`;
}
