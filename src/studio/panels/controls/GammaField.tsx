import { lazy, Suspense } from "react";
import { useStore } from "zustand";
import { Button } from "../../../player/ui/Button";
import { useStudio, useWords } from "../StudioContext";
import { NumberField } from "./NumberField";

/** Comes when γ is first drawn. */
const GammaChart = lazy(async () => ({ default: (await import("./GammaChart")).GammaChart }));

/** One γ, or γ drawn over t. */
export function GammaField() {
  const studio = useStudio();
  const { gamma: words, gammaCurve: drawn } = useWords().settings;
  const { gamma, gammaCurve } = useStore(studio.settings, ({ values }) => values);
  if (gammaCurve) {
    return (
      <Suspense fallback={null}>
        <GammaChart curve={gammaCurve} />
      </Suspense>
    );
  }
  const level = [0, 0.5, 1].map((t) => [t, gamma] as const);
  return (
    <>
      <NumberField name="gamma" label={words.name} symbol="γ" slider={{ to: 8, step: 0.1 }} explanation={words.is} />
      <p>
        <Button onClick={() => studio.settings.getState().set({ gammaCurve: level })}>{drawn.draw}</Button>
      </p>
    </>
  );
}
