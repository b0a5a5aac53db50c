import { lazy, type ReactNode, Suspense, useMemo } from "react";
import { useStore } from "zustand";
import type { Frame } from "../../../flow/trajectory";
import { Stage, type StageSlots } from "../../../player/stage/Stage";
import { NO_WISHES } from "../../../player/stage/wishes";
import { Part } from "../alerts/Part";
import { HeldStrip } from "../held/HeldStrip";
import { useStudio, useWords } from "../StudioContext";
import { EmptyStage } from "./EmptyStage";
import { TokenChoices } from "./TokenChoices";

const SLOTS: StageSlots = {
  aboveText: <HeldStrip />,
  empty: <EmptyStage />,
  cardActions: (run, position) => <TokenChoices run={run} position={position} />,
  aroundCard: (card, frame) => <CardPart frame={frame}>{card}</CardPart>,
};

function CardPart({ frame, children }: { frame: Frame | undefined; children: ReactNode }) {
  const { parts } = useWords();
  return (
    <Part name={parts.card} of={frame}>
      {children}
    </Part>
  );
}

/** Comes when runs are first laid side by side. */
const ComparisonView = lazy(async () => ({
  default: (await import("../experiments/ComparisonView")).ComparisonView,
}));

/** One run's text, or several side by side. */
export function StudioStage() {
  const studio = useStudio();
  const compared = useStore(studio.comparison, ({ shown }) => shown);
  if (!compared) return <OneText />;
  return (
    <Suspense fallback={null}>
      <ComparisonView shown={compared} />
    </Suspense>
  );
}

/** The player's stage, on which the studio lets words be held for the next run. */
function OneText() {
  const studio = useStudio();
  const held = useStore(studio.draft, ({ held }) => held);
  const length = useStore(studio.settings, ({ values }) => values.length);
  const isComing = useStore(studio.view, ({ recording }) => recording === "coming");
  const modelName = useStore(studio.model, ({ name }) => name);
  const shownModel = useStore(studio.player.run, (run) => run?.trajectory.model);
  // Tokens mean something else to another model.
  const isOwn = shownModel === modelName;
  const wishes = useMemo(() => (isOwn ? new Map(held.map((word) => [word.position, word])) : NO_WISHES), [isOwn, held]);
  return (
    <Stage
      wishes={wishes}
      onWish={isOwn ? (word) => studio.draft.getState().hold([word]) : undefined}
      slots={SLOTS}
      isComing={isComing}
      length={length}
    />
  );
}
