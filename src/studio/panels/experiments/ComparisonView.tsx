import { useEffect, useState } from "react";
import { useStore } from "zustand";
import { ComparedTexts } from "../../../player/compare/ComparedTexts";
import { stepsOf } from "../../../player/run/run";
import { GivenPrompt } from "../../../player/stage/GivenPrompt";
import { ReadingChoice } from "../../../player/stage/ReadingChoice";
import { Button } from "../../../player/ui/Button";
import { IconButton } from "../../../player/ui/IconButton";
import { closeComparison, copyExperiment, writeTheRest } from "../../actions/experiments";
import { type Comparison, runsOf, surestMember } from "../../session/experiments/comparison";
import type { Label } from "../../session/experiments/experiments";
import { labelsOf } from "../../session/experiments/labels";
import type { Run } from "../../session/runs/shelfRun";
import { JudgeProgress } from "../judge/JudgeProgress";
import { describeOrigin } from "../runInWords";
import { useStudio, useWords } from "../StudioContext";
import { ActionButton } from "../ui/ActionButton";
import { Icon } from "../ui/Icon";
import { useAction } from "../ui/useAction";
import styles from "./ComparisonView.module.css";

/** Runs side by side on one time, in the place of the one on the stage. */
export function ComparisonView({ shown }: { shown: Comparison }) {
  const studio = useStudio();
  const words = useWords();
  const { experiments } = words;
  const laid = useStore(studio.comparison, ({ laid }) => laid);
  const shelf = useStore(studio.runs, ({ runs }) => runs);
  const isGenerating = useStore(studio.generation, ({ phase }) => phase !== "idle");
  const byJudge = shown.members.find((member) => member.byJudge)?.byJudge;
  const judging = studio.judges[byJudge ?? "stories-judge"];
  const isBusy = useStore(judging, ({ status, isWriting }) => status === "coming" || isWriting) || isGenerating;
  const copy = useAction(copyExperiment);
  const rest = useAction(writeTheRest);
  // One whose frames are put away has them again in a moment.
  const runs = runsOf(shown, [...laid, ...shelf]).map((run) => (run?.folded ? undefined : run));
  const heads = shown.origin?.experiment.heads;
  // One prompt for all of them is said once.
  const prompted = shown.origin ? runs.find((run) => run !== undefined) : undefined;
  const written = runs.filter((run) => run?.status === "done").length;
  const isWhole = written === runs.length;
  const surest = surestMember(shown, runs);
  const [chosen, setChosen] = useState<boolean | null>(null);
  const wantsClock = chosen ?? shown.origin?.experiment.isByClock ?? false;
  // A run from a file does not say how long it took.
  const canRace = !heads && isWhole && runs.every((run) => (run?.seconds ?? 0) > 0);
  const isByClock = canRace && wantsClock;
  const said = (label: Label) => label(words);
  const labels = labelsOf(shown.members, words);
  // From the start, and led by the one of most steps, so that none moves in leaps. What the judge wrote is on no shelf and cannot lead.
  const leader = runs
    .flatMap((run, i) => (run && !shown.members[i]?.byJudge ? [run] : []))
    .sort((a, b) => stepsOf(b) - stepsOf(a))[0]?.id;
  useEffect(() => {
    if (!isByClock || leader === undefined) return;
    studio.runs.getState().select(leader);
    const { seek, play } = studio.player.playback.getState();
    seek(0);
    play();
  }, [isByClock, leader, studio]);
  const kept = surest === undefined ? undefined : shown.members[surest];
  return (
    <section className={styles.comparison} aria-label={shown.title(words)} data-testid="comparison" data-comparison="">
      <header>
        <div className={styles.comparisonTitle}>
          <h2>{shown.title(words)}</h2>
          <ActionButton action={closeComparison} label={experiments.back}>
            <Icon name="close" />
          </ActionButton>
        </div>
        <p className={styles.comparisonAbout}>{shown.about(words)}</p>
        <div className={styles.comparisonWays}>
          <ReadingChoice />
          {canRace && (
            <Button aria-pressed={isByClock} onClick={() => setChosen(!isByClock)}>
              {experiments.byTheClock}
            </Button>
          )}
          {shown.origin && <Button {...copy}>{experiments.copyLink}</Button>}
          {shown.origin && !isWhole && !isBusy && <Button {...rest}>{experiments.writeTheRest}</Button>}
          <span role="status" className={styles.comparisonCount}>
            {isWhole ? kept && experiments.surestIs(said(kept.label)) : experiments.written(written, runs.length)}
          </span>
        </div>
        {byJudge && <JudgeProgress judging={judging} />}
      </header>
      <div className={styles.comparisonTexts}>
        {prompted && <GivenPrompt run={prompted} />}
        <ComparedTexts
          isMarked={shown.isMarked && areOfOneVocabulary(runs)}
          isByClock={isByClock}
          heads={heads && { rows: heads.rows.map(said), columns: heads.columns.map(said) }}
          words={words.compare}
          runs={shown.members.map((member, i) => {
            const run = runs[i];
            const label = labels[i] as string;
            // A cell of a grid has its frames come here, and nowhere else.
            const isComing = run?.status === "running" && laid.includes(run);
            return {
              label,
              run,
              seconds: run?.seconds,
              note: run && [...(i === surest ? [experiments.surest] : []), describeOrigin(run, words)].join(" · "),
              // What the judge wrote is no run of a flow, to be gone on from and kept.
              actions: run && !member.byJudge && !isComing && (
                <IconButton label={experiments.showAlone(label)} onPress={() => show(run)}>
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

/** Whether a token's number means the same in all of them. */
function areOfOneVocabulary(runs: readonly (Run | undefined)[]): boolean {
  const [first, ...others] = runs.filter((run) => run !== undefined);
  return others.every(
    ({ pieces }) => pieces === first?.pieces || pieces.every((piece, id) => isSame(piece, first?.pieces[id])),
  );
}

/** A recording has only the pieces that it names. */
function isSame(piece: string, other: string | undefined): boolean {
  return piece === "" || other === undefined || other === "" || piece === other;
}
