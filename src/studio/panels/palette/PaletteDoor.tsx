import { lazy, Suspense } from "react";
import { useStore } from "zustand";
import { useStudio } from "../StudioContext";

/** Comes when it is first opened. */
const Palette = lazy(async () => ({ default: (await import("./Palette")).Palette }));

export function PaletteDoor() {
  const studio = useStudio();
  const open = useStore(studio.view, ({ paletteOpen }) => paletteOpen);
  return open ? (
    <Suspense>
      <Palette />
    </Suspense>
  ) : null;
}
