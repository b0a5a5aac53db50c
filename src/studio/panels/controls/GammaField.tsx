import { lazy, Suspense, useRef } from "react";
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
  const { set, enter } = studio.settings.getState();
  /** Whether a keyboard, whose clicks count as none, has pressed a button that goes with it; not where an undo changes γ. */
  const isPressed = useRef(false);
  const goOnAt = (place: HTMLElement | SVGElement | null) => {
    if (!place) return;
    // Whoever has gone elsewhere while the chart came stays there.
    if (isPressed.current && document.activeElement === document.body) place.focus();
    isPressed.current = false;
  };
  if (gammaCurve) {
    return (
      <Suspense fallback={null}>
        <GammaChart
          curve={gammaCurve}
          firstKnot={goOnAt}
          onOne={({ detail }) => {
            isPressed.current = detail === 0;
            enter("gamma", String(gamma));
          }}
        />
      </Suspense>
    );
  }
  const level = [0, 0.5, 1].map((t) => [t, gamma] as const);
  return (
    <>
      <NumberField name="gamma" label={words.name} symbol="γ" slider={{ to: 8, step: 0.1 }} explanation={words.is} />
      <p>
        <Button
          ref={goOnAt}
          onClick={({ detail }) => {
            isPressed.current = detail === 0;
            set({ gammaCurve: level });
          }}
        >
          {drawn.draw}
        </Button>
      </p>
    </>
  );
}
