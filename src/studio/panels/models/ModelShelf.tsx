import { lazy, Suspense } from "react";
import { useStore } from "zustand";
import { useStudio, useWords } from "../StudioContext";
import { Sheet } from "../ui/Sheet";

/** Comes when the shelf is first opened. */
const ModelList = lazy(async () => ({ default: (await import("./ModelList")).ModelList }));

/** The shelf of models, over the page. */
export function ModelShelf() {
  const studio = useStudio();
  const { models, sheet } = useWords();
  const isOpen = useStore(studio.library, ({ isOpen }) => isOpen);
  return (
    <Sheet
      title={models.title}
      open={isOpen}
      onOpen={(open) => studio.library.getState().show(open)}
      data-testid="model-shelf"
    >
      <Suspense fallback={<p>{sheet.listComes}</p>}>
        <ModelList />
      </Suspense>
    </Sheet>
  );
}
