import { lazy, Suspense } from "react";
import { useStore } from "zustand";
import { saveRun } from "../../actions/view";
import { useStudio } from "../StudioContext";
import { DrawnButton } from "../ui/DrawnButton";
import { Sheet } from "../ui/Sheet";

/** Comes when it is first opened. */
const SavingWays = lazy(async () => ({ default: (await import("./SavingWays")).SavingWays }));

export function SavingButton() {
  return <DrawnButton action={saveRun} icon="save" label="Save" />;
}

/** What of the run shown can be saved, and how. */
export function SavingDialog() {
  const studio = useStudio();
  const open = useStore(studio.view, ({ savingOpen }) => savingOpen);
  return (
    <Sheet title="Save this run" open={open} onOpen={studio.view.getState().openSaving}>
      <Suspense fallback={<p>The list comes …</p>}>
        <SavingWays />
      </Suspense>
    </Sheet>
  );
}
