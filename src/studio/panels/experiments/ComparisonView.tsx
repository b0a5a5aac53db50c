import { useStore } from "zustand";
import { ComparedTexts } from "../../../player/compare/ComparedTexts";
import { GivenPrompt } from "../../../player/stage/GivenPrompt";
import { ReadingChoice } from "../../../player/stage/ReadingChoice";
import { Button } from "../../../player/ui/Button";
import { IconButton } from "../../../player/ui/IconButton";
import { closeComparison, copyExperiment, writeTheRest } from "../../actions/experiments";
import { type Comparison, runsOf } from "../../session/experiments/comparison";
import type { Run } from "../../session/runs/shelfRun";
import { describeOrigin } from "../runInWords";
import { useStudio } from "../StudioContext";
import { ActionButton } from "../ui/ActionButton";
import { Icon } from "../ui/Icon";
import { useAction } from "../ui/useAction";
import styles from "./ComparisonView.module.css";

/** Runs side by side on one time, in the place of the one on the stage. */
export function ComparisonView({ shown }: { shown: Comparison }) {
  const studio = useStudio();
  const laid = useStore(studio.comparison, ({ laid }) => laid);
  const shelf = useStore(studio.runs, ({ runs }) => runs);
  const isBusy = useStore(studio.generation, ({ phase }) => phase !== "idle");
  const copy = useAction(copyExperiment);
  const rest = useAction(writeTheRest);
  const runs = runsOf(shown, [...laid, ...shelf]);
  const heads = shown.origin?.experiment.heads;
  // One prompt for all of them is said once.
  const prompted = shown.origin ? runs.find((run) => run !== undefined) : undefined;
  const written = runs.filter((run) => run?.status === "done").length;
  const isWhole = written === runs.length;
  return (
    <section className={styles.comparison} aria-label={shown.title} data-testid="comparison">
      <header>
        <div className={styles.comparisonTitle}>
          <h2>{shown.title}</h2>
          <ActionButton action={closeComparison} label="Back to one run">
            <Icon name="close" />
          </ActionButton>
        </div>
        <p className={styles.comparisonAbout}>{shown.about}</p>
        <div className={styles.comparisonWays}>
          <ReadingChoice />
          {shown.origin && <Button {...copy}>Copy a link</Button>}
          {shown.origin && !isWhole && !isBusy && <Button {...rest}>Write the rest</Button>}
          <span role="status" className={styles.comparisonCount}>
            {isWhole ? "" : `${written} of ${runs.length} written`}
          </span>
        </div>
      </header>
      <div className={styles.comparisonTexts}>
        {prompted && <GivenPrompt run={prompted} />}
        <ComparedTexts
          isMarked={shown.isOfOneNoise}
          heads={heads}
          runs={shown.members.map(({ label }, i) => {
            const run = runs[i];
            return {
              label,
              run,
              note: run && describeOrigin(run),
              actions: run && (
                <IconButton label={`Show ${label} alone`} onPress={() => show(run)}>
                  <Icon name="single" size={16} />
                </IconButton>
              ),
            };
          })}
        />
      </div>
    </section>
  );

  function show(run: Run): void {
    studio.comparison.getState().take(run);
    studio.comparison.getState().close();
  }
}
