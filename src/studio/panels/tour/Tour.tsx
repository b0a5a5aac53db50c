import { lazy, Suspense } from "react";
import { useStore } from "zustand";
import { takeTour } from "../../actions/tour";
import { useStudio, useWords } from "../StudioContext";
import { DrawnButton } from "../ui/DrawnButton";

/** Comes when it is first taken. */
const TourCard = lazy(async () => ({ default: (await import("./TourCard")).TourCard }));

export function TourButton() {
  const { tour } = useWords();
  return <DrawnButton action={takeTour} icon="tour" label={tour.button} />;
}

/** What is told at the stop where the person is; nothing while nobody is led. */
export function Tour() {
  const studio = useStudio();
  const at = useStore(studio.tour, ({ at }) => at);
  return at === null ? null : (
    <Suspense>
      <TourCard at={at} />
    </Suspense>
  );
}
