import { lazy, Suspense } from "react";
import { useStore } from "zustand";
import { saveRun } from "../../actions/view";
import { useStudio, useWords } from "../StudioContext";
import { DrawnButton } from "../ui/DrawnButton";
import { Sheet } from "../ui/Sheet";

/** Comes when it is first opened. */
const SavingWays = lazy(async () => ({ default: (await import("./SavingWays")).SavingWays }));

export function SavingButton() {
  const { saving } = useWords();
  return <DrawnButton action={saveRun} icon="save" label={saving.button} />;
}

/** What of the run shown can be saved, and how. */
export function SavingDialog() {
  const studio = useStudio();
  const { saving, sheet } = useWords();
  const open = useStore(studio.view, ({ savingOpen }) => savingOpen);
  return (
    <Sheet title={saving.title} open={open} onOpen={studio.view.getState().openSaving}>
      <Suspense fallback={<p>{sheet.listComes}</p>}>
        <SavingWays />
      </Suspense>
    </Sheet>
  );
}
