import { lazy, Suspense, useMemo } from "react";
import { useStore } from "zustand";
import { judgeBeside } from "../../../delivery/shipped";
import { recipeOf } from "../../../flow/recipe";
import { linkTo } from "../../../format/link";
import type { LensId } from "../../../player/lenses/words";
import { Button } from "../../../player/ui/Button";
import { Choice } from "../../../player/ui/Choice";
import { countPhases } from "../../actions/experiments";
import { PHASE_RUNS, phasesKey } from "../../session/experiments/phases";
import { judgedRuns } from "../../session/judging";
import { Part } from "../alerts/Part";
import { ExperimentsButton } from "../experiments/Experiments";
import { useStudio, useWords } from "../StudioContext";
import { SavingButton } from "../saving/Saving";
import { TourButton } from "../tour/Tour";
import { useAction } from "../ui/useAction";
import styles from "./Lenses.module.css";

/** Comes when the first lens is opened. */
const LensView = lazy(async () => ({ default: (await import("../../../player/lenses/LensView")).LensView }));
const LensOffer = lazy(async () => ({ default: (await import("./LensOffer")).LensOffer }));
const SavePicture = lazy(async () => ({ default: (await import("../saving/SavePicture")).SavePicture }));

/** Which picture of the run stands beside its text, and what can be tried with it. */
export function LensChoice() {
  const studio = useStudio();
  const { lenses, lensPanel } = useWords();
  const lens = useStore(studio.view, ({ lens }) => lens);
  const isThere = useStore(studio.player.run, (run) => run !== null);
  return (
    <div className={styles.lensChoice}>
      {isThere && (
        <Choice
          look="quiet"
          label={lenses.label}
          value={lens ?? "none"}
          options={[
            { value: "none" as const, label: lensPanel.none },
            ...(Object.keys(lenses.titles) as LensId[]).map((id) => ({
              value: id,
              label: lenses.titles[id],
              hint: lenses.about[id],
            })),
          ]}
          onChange={(chosen) => studio.view.getState().lookThrough(chosen === "none" ? null : chosen)}
        />
      )}
      <div className={styles.lensBeside}>
        <TourButton />
        <SavingButton />
        <ExperimentsButton />
      </div>
    </div>
  );
}

/** The picture that is chosen: at the side where there is room, else under the text. */
export function LensPanel() {
  const studio = useStudio();
  const words = useWords();
  const lens = useStore(studio.view, ({ lens }) => lens);
  const run = useStore(studio.player.run);
  const manifest = useStore(studio.model, ({ manifest }) => manifest);
  const theme = useStore(studio.preferences, ({ theme }) => theme);
  const counted = useStore(studio.phases, ({ counted }) => (run ? counted.get(phasesKey(run)) : undefined));
  const shelf = useStore(studio.runs, ({ runs }) => runs);
  const { manifest: judge, judgements } = useStore(studio.judges[judgeBeside(run?.trajectory.model ?? "")]);
  const isQuality = lens === "quality";
  const judged = useMemo(
    () => (isQuality && judge ? { runs: judgedRuns(shelf, judgements), real: judge.realText } : undefined),
    [isQuality, judge, shelf, judgements],
  );
  if (!run || !lens) return null;
  const isOwn = run.trajectory.model === manifest?.name;
  return (
    <div className={styles.lensPanel}>
      <Part name={words.parts.lens} of={`${run.id} ${lens}`}>
        <Suspense fallback={<p className={styles.lensComing}>{words.lensPanel.coming}</p>}>
          <LensView
            id={lens}
            words={words.lenses}
            logitNormal={isOwn ? manifest?.schedule : undefined}
            phases={lens === "certainty" ? counted : undefined}
            chosenTheme={theme}
            recipe={linkTo(recipeOf(run.trajectory)).slice(1)}
            judged={judged}
            onRun={studio.show}
            offer={<LensOffer lens={lens} model={run.trajectory.model} />}
            actions={(draw, id) => <SavePicture draw={draw} name={`${run.trajectory.model}-${id}`} />}
          />
        </Suspense>
        {lens === "certainty" && <PhasesCount counted={counted?.holds.runs ?? 0} />}
      </Part>
    </div>
  );
}

/** Counts when words settle over many runs; says how many there are so far, and lets it be ended. */
function PhasesCount({ counted }: { counted: number }) {
  const studio = useStudio();
  const words = useWords().lensPanel;
  const count = useAction(countPhases);
  const isCounting = useStore(studio.phases, ({ counting }) => counting !== null);
  const said = words.counted(counted, PHASE_RUNS);
  return (
    <p className={styles.lensPhases}>
      {isCounting ? (
        <Button onClick={() => void studio.generation.getState().cancel()}>{words.stopCounting}</Button>
      ) : (
        counted < PHASE_RUNS && <Button {...count}>{words.count(PHASE_RUNS - counted)}</Button>
      )}
      {/* Said aloud once it has ended, and not a hundred times. */}
      {isCounting && <span>{said}</span>}
      <span role="status">{!isCounting && counted > 0 ? said : ""}</span>
    </p>
  );
}
