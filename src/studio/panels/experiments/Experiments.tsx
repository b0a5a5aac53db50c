import { lazy, Suspense } from "react";
import { useStore } from "zustand";
import { showExperiments } from "../../actions/experiments";
import { useStudio, useWords } from "../StudioContext";
import { DrawnButton } from "../ui/DrawnButton";
import { Sheet } from "../ui/Sheet";

/** Comes when the list is first opened. */
const ExperimentList = lazy(async () => ({ default: (await import("./ExperimentList")).ExperimentList }));

export function ExperimentsButton() {
  const { experiments } = useWords();
  return <DrawnButton action={showExperiments} icon="experiment" label={experiments.title} />;
}

/** What can be tried with the run shown. */
export function ExperimentsDialog() {
  const studio = useStudio();
  const { experiments, sheet } = useWords();
  const open = useStore(studio.view, ({ experimentsOpen }) => experimentsOpen);
  return (
    <Sheet title={experiments.title} open={open} onOpen={studio.view.getState().openExperiments}>
      <Suspense fallback={<p>{sheet.listComes}</p>}>
        <ExperimentList />
      </Suspense>
    </Sheet>
  );
}
