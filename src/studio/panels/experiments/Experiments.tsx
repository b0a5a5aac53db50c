import { lazy, Suspense } from "react";
import { useStore } from "zustand";
import { Button } from "../../../player/ui/Button";
import { showExperiments } from "../../actions/experiments";
import { useStudio } from "../StudioContext";
import { Icon } from "../ui/Icon";
import { Sheet } from "../ui/Sheet";
import { useAction } from "../ui/useAction";
import styles from "./Experiments.module.css";

/** Comes when the list is first opened. */
const ExperimentList = lazy(async () => ({ default: (await import("./ExperimentList")).ExperimentList }));

export function ExperimentsButton() {
  const show = useAction(showExperiments);
  return (
    <Button {...show} className={styles.experimentsOpen} aria-label="Experiments">
      <Icon name="experiment" size={16} /> <span>Experiments</span>
    </Button>
  );
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
