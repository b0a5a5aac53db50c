import { lazy, Suspense } from "react";
import { useStore } from "zustand";
import { recipeOf } from "../../../flow/recipe";
import { linkTo } from "../../../format/link";
import { ENGLISH_LENSES, type LensId } from "../../../player/lenses/words";
import { Choice } from "../../../player/ui/Choice";
import { Part } from "../alerts/Part";
import { ExperimentsButton } from "../experiments/Experiments";
import { useStudio } from "../StudioContext";
import { SavingButton } from "../saving/Saving";
import { TourButton } from "../tour/Tour";
import styles from "./Lenses.module.css";

const LENS_IDS = Object.keys(ENGLISH_LENSES.titles) as LensId[];
const OPTIONS = [
  { value: "none" as const, label: "No lens" },
  ...LENS_IDS.map((id) => ({ value: id, label: ENGLISH_LENSES.titles[id], hint: ENGLISH_LENSES.about[id] })),
];

/** Comes when the first lens is opened. */
const LensView = lazy(async () => ({ default: (await import("../../../player/lenses/LensView")).LensView }));
const SavePicture = lazy(async () => ({ default: (await import("../saving/SavePicture")).SavePicture }));

/** Which picture of the run stands beside its text, and what can be tried with it. */
export function LensChoice() {
  const studio = useStudio();
  const lens = useStore(studio.view, ({ lens }) => lens);
  const isThere = useStore(studio.player.run, (run) => run !== null);
  return (
    <div className={styles.lensChoice}>
      {isThere && (
        <Choice
          look="quiet"
          label={ENGLISH_LENSES.label}
          value={lens ?? "none"}
          options={OPTIONS}
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
  const lens = useStore(studio.view, ({ lens }) => lens);
  const run = useStore(studio.player.run);
  const manifest = useStore(studio.model, ({ manifest }) => manifest);
  const theme = useStore(studio.preferences, ({ theme }) => theme);
  if (!run || !lens) return null;
  const isOwn = run.trajectory.model === manifest?.name;
  return (
    <div className={styles.lensPanel}>
      <Part name="The lens" of={`${run.id} ${lens}`}>
        <Suspense fallback={<p className={styles.lensComing}>The lens comes …</p>}>
          <LensView
            id={lens}
            logitNormal={isOwn ? manifest?.schedule : undefined}
            chosenTheme={theme}
            recipe={linkTo(recipeOf(run.trajectory)).slice(1)}
            actions={(draw, id) => <SavePicture draw={draw} name={`${run.trajectory.model}-${id}`} />}
          />
        </Suspense>
      </Part>
    </div>
  );
}
