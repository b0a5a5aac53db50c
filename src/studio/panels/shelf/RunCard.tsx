import { memo, useEffect, useRef } from "react";
import { useStore } from "zustand";
import { describeSettings } from "../../../player/run/settingsInWords";
import { settlingOf } from "../../../player/run/settling";
import { textSoFar } from "../../../player/run/textSoFar";
import { iconButtonClass } from "../../../player/ui/IconButton";
import { isMember } from "../../session/experiments/comparison";
import type { Run } from "../../session/runs/shelfRun";
import type { Words } from "../../words/english";
import { describeOrigin } from "../runInWords";
import { useStudio, useWords } from "../StudioContext";
import { Icon } from "../ui/Icon";
import styles from "./RunCard.module.css";

interface Props {
  readonly run: Run;
  readonly selected: boolean;
  /** The run that it goes on from, where it is on the shelf. */
  readonly parent: Run | undefined;
  /** How many go on from it. */
  readonly forks: number;
}

/** One run: where it comes from, how it was made, how its words settled over the steps, and how its text begins. */
export const RunCard = memo(function RunCard({ run, selected, parent, forks }: Props) {
  const studio = useStudio();
  const words = useWords();
  const card = useRef<HTMLLIElement>(null);
  useEffect(() => {
    const list = card.current?.parentElement;
    if (!selected || !card.current || !list) return;
    // Not scrollIntoView: on a phone it would pull the page down to the shelf.
    const { offsetLeft, offsetWidth } = card.current;
    const seen = offsetLeft >= list.scrollLeft && offsetLeft + offsetWidth <= list.scrollLeft + list.clientWidth;
    if (!seen) list.scrollTo({ left: offsetLeft - (list.clientWidth - offsetWidth) / 2 });
  }, [selected]);
  const text = textSoFar(run);
  return (
    <li className={styles.runCard} ref={card} data-testid="run-card" data-status={run.status}>
      <button type="button" className={styles.runCardOpen} aria-pressed={selected} onClick={() => studio.show(run.id)}>
        <span className={styles.runCardOrigin}>
          <span>{describeOrigin(run, words)}</span>
          <SettlingCurve run={run} />
        </span>
        <span className={styles.runCardSettings}>{describeSettings(run.trajectory, words.player)}</span>
        <Family run={run} parent={parent} forks={forks} />
        <span className={styles.runCardText} translate="no" lang={text ? studio.player.textLanguage : undefined}>
          {text || words.runs.noWords}
        </span>
      </button>
      <span className={styles.runCardWays}>
        <CompareButton run={run} selected={selected} />
        {run.origin !== "recorded" && run.status !== "running" && (
          <button
            type="button"
            className={iconButtonClass()}
            aria-label={words.runs.delete(describeSettings(run.trajectory, words.player))}
            onClick={() => studio.runs.getState().remove(run.id)}
          >
            <Icon name="remove" size={16} />
          </button>
        )}
      </span>
    </li>
  );
});

/** Lays the run beside the one on the stage, or those beside it; another press takes it away again. */
function CompareButton({ run, selected }: { run: Run; selected: boolean }) {
  const studio = useStudio();
  const words = useWords();
  const isCompared = useStore(studio.comparison, ({ shown }) => shown !== null && isMember(shown, run));
  const stage = useStore(studio.player.run, (shown) => shown?.trajectory.model);
  if (run.status === "running" || stage !== run.trajectory.model || (selected && !isCompared)) return null;
  return (
    <button
      type="button"
      className={iconButtonClass()}
      aria-label={words.runs.compare(describeSettings(run.trajectory, words.player))}
      aria-pressed={isCompared}
      onClick={() => studio.comparison.getState().turn(run)}
    >
      <Icon name="compare" size={16} />
    </button>
  );
}

/** What it goes on from, what goes on from it, and how many words it was told to keep. */
function Family({ run, parent, forks }: Omit<Props, "selected">) {
  const words = useWords().runs;
  const { from, held = [] } = run.trajectory;
  const facts = [
    ...(from ? [words.from(from.step, parentName(run, parent, words))] : []),
    ...(held.length > 0 ? [words.held(held.length)] : []),
    ...(forks > 0 ? [words.forks(forks)] : []),
  ];
  if (facts.length === 0) return null;
  return (
    <span className={styles.runCardFamily} data-testid="family">
      <Icon name="fork" size={13} /> <span>{facts.join(" · ")}</span>
    </span>
  );
}

function parentName(run: Run, parent: Run | undefined, words: Words["runs"]): string {
  if (!parent) return words.goneParent(run.trajectory.from?.run.settings.seed);
  if (parent.origin === "recorded") return words.recordedParent;
  const beginning = parent.text.split(/\s+/).slice(0, 3).join(" ");
  return beginning ? words.quoted(beginning) : words.wordlessParent;
}

/** Share of the words settled, step by step: the run's shape at a glance. */
function SettlingCurve({ run }: { run: Run }) {
  const settling = run.folded ? run.folded.settling : settlingOf(run, "holds");
  if (!settling || settling.words === 0) return null;
  const last = Math.max(1, settling.wordsByFrame.length - 1);
  const points = settling.wordsByFrame
    .map((count, step) => `${((48 * step) / last).toFixed(1)},${(12 - (11 * count) / settling.words).toFixed(1)}`)
    .join(" ");
  return (
    <svg width="48" height="13" viewBox="0 0 48 13" aria-hidden="true">
      <polyline points={points} fill="none" stroke="var(--data)" strokeWidth="1.5" strokeLinejoin="round" />
    </svg>
  );
}
