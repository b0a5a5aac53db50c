import { lazy, Suspense } from "react";
import { useStore } from "zustand";
import { showExperiments } from "../../actions/experiments";
import { useStudio } from "../StudioContext";
import { DrawnButton } from "../ui/DrawnButton";
import { Sheet } from "../ui/Sheet";

/** Comes when the list is first opened. */
const ExperimentList = lazy(async () => ({ default: (await import("./ExperimentList")).ExperimentList }));

export function ExperimentsButton() {
  return <DrawnButton action={showExperiments} icon="experiment" label="Experiments" />;
}

/** What can be tried with the run shown. */
export function ExperimentsDialog() {
  const studio = useStudio();
  const open = useStore(studio.view, ({ experimentsOpen }) => experimentsOpen);
  return (
    <Sheet title="Experiments" open={open} onOpen={studio.view.getState().openExperiments}>
      <Suspense fallback={<p>The list comes …</p>}>
        <ExperimentList />
      </Suspense>
    </Sheet>
  );
}
