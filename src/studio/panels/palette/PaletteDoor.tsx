import { lazy, Suspense } from "react";
import { useStore } from "zustand";
import { useStudio } from "../StudioContext";
import { OnItsWay } from "../ui/OnItsWay";

/** Comes when it is first opened. */
const Palette = lazy(async () => ({ default: (await import("./Palette")).Palette }));

export function PaletteDoor() {
  const studio = useStudio();
  const open = useStore(studio.view, ({ paletteOpen }) => paletteOpen);
  return open ? (
    <Suspense fallback={<OnItsWay onOpen={studio.view.getState().openPalette} />}>
      <Palette />
    </Suspense>
  ) : null;
}
