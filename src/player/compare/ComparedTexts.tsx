import { type ReactNode, useEffect, useId, useMemo, useRef } from "react";
import { useStore } from "zustand";
import { frameAt } from "../../flow/trajectory";
import { createPlayer, type Player } from "../createPlayer";
import { PlayerProvider, useGround, usePlayer } from "../PlayerContext";
import { readingAt, type ShownRun } from "../run/run";
import { TokenCard } from "../stage/TokenCard";
import { TokenFlow } from "../stage/TokenFlow";
import { NO_WISHES } from "../stage/wishes";
import styles from "./ComparedTexts.module.css";
import { indexAtSecond } from "./clockIndex";
import { differingPositions } from "./differing";
import { type CompareWords, ENGLISH_COMPARE } from "./words";

/** A run beside others. */
export interface ComparedRun {
  /** What sets it apart from the others. */
  readonly label: string;
  /** What else is said of it, such as how long it took. */
  readonly note?: string | undefined;
  /** Not there before it is written. */
  readonly run: ShownRun | undefined;
  /** How long it took to be written; asked for where the runs go by the clock. */
  readonly seconds?: number | null | undefined;
  /** What can be done with it, beside its label. */
  readonly actions?: ReactNode;
}

export interface ComparedTextsProps {
  readonly runs: readonly ComparedRun[];
  /** Whether tokens that differ from those of the first run are marked. */
  readonly isMarked: boolean;
  /** Whether they go by the clock, each as fast as it was written, in place of all by t. */
  readonly isByClock?: boolean | undefined;
  /** Of a grid: what stands at the head of its rows and columns; its runs come row by row. */
  readonly heads?: { readonly rows: readonly string[]; readonly columns: readonly string[] } | undefined;
  readonly words?: CompareWords;
}

/**
 * Several runs' texts at one time: that of the player around them, whose transport moves them all. Each shows its last frame
 * that is no later, however many steps it has. By the clock the transport's way is as long as the slowest of them took.
 */
export function ComparedTexts({ runs, isMarked, isByClock, heads, words = ENGLISH_COMPARE }: ComparedTextsProps) {
  const { run: leader, playback } = usePlayer();
  const times = useStore(leader, (run) => run?.trajectory.times);
  const index = useStore(playback, ({ index }) => index);
  const t = times?.[index] ?? 1;
  const first = runs[0]?.run;
  const longest = Math.max(0, ...runs.map(({ seconds }) => seconds ?? 0));
  const steps = (times?.length ?? 1) - 1;
  const elapsed = isByClock && steps > 0 ? (longest * index) / steps : null;
  const indexOf = ({ run, seconds }: ComparedRun) => {
    if (!run) return 0;
    return elapsed === null ? indexAtTime(run, t) : indexAtSecond(run, elapsed, seconds ?? longest);
  };
  const text = (compared: ComparedRun, place: number) => (
    <ComparedText
      key={compared.run?.id ?? place}
      compared={compared}
      note={elapsed === null ? compared.note : words.atSecond(Math.min(elapsed, compared.seconds ?? longest))}
      index={indexOf(compared)}
      likeIndex={runs[0] ? indexOf(runs[0]) : 0}
      like={isMarked && place > 0 ? first : undefined}
      isHeaded={heads !== undefined}
      words={words}
    />
  );
  if (!heads) return <div className={styles.columns}>{runs.map(text)}</div>;
  const across = heads.columns.length;
  return (
    <div className={styles.grid} style={{ gridTemplateColumns: `auto repeat(${across}, minmax(190px, 1fr))` }}>
      <span />
      {heads.columns.map((head) => (
        <b key={head} className={styles.head} aria-hidden="true">
          {head}
        </b>
      ))}
      {heads.rows.map((head, row) => [
        <b key={head} className={styles.head} aria-hidden="true">
          {head}
        </b>,
        ...runs.slice(row * across, (row + 1) * across).map((run, column) => text(run, row * across + column)),
      ])}
    </div>
  );
}

interface TextProps {
  readonly compared: ComparedRun;
  readonly note: string | undefined;
  /** The frame shown. */
  readonly index: number;
  /** The run from whose tokens those that differ are marked, and its frame shown. */
  readonly like: ShownRun | undefined;
  readonly likeIndex: number;
  /** Whether its label stands at the heads of its row and column already. */
  readonly isHeaded: boolean;
  readonly words: CompareWords;
}

function ComparedText({ compared, note, index, like, likeIndex, isHeaded, words }: TextProps) {
  const { label, run, actions } = compared;
  const around = usePlayer();
  const { display, words: playerWords, textLanguage } = around;
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const cardActions = useRef<HTMLDivElement>(null);
  const reading = useStore(display, ({ reading }) => reading);
  // Tokens are looked at text by text, so each has a player of its own; its time is not used, that of the player around it is.
  // Their texts are grounds of their own alone: out there a press in one would leave the card of another open.
  const own = useMemo<Player>(
    () => createPlayer({ words: playerWords, textLanguage, within: around }),
    [playerWords, textLanguage, around],
  );
  const ground = useGround(own);
  useEffect(() => () => own.dispose(), [own]);
  const shown = run && readingAt(run, index, reading);
  const others = like && readingAt(like, likeIndex, reading);
  const marks = useMemo(() => {
    if (!run || !shown || !others) return undefined;
    const differing = differingPositions(shown.tokens, others.tokens, run.eos);
    return new Map([...differing].map((position) => [position, words.differs]));
  }, [run, shown, others, words]);
  const said = [note, marks && words.differ(marks.size)].filter(Boolean).join(" · ");
  return (
    <section className={styles.text} aria-labelledby={`${id}-label`} ref={ground} data-testid="compared">
      <header className={styles.label}>
        <b id={`${id}-label`} className={isHeaded ? "visually-hidden" : undefined}>
          {label}
        </b>
        <span className={styles.note}>{said}</span>
        {actions}
      </header>
      {run && shown ? (
        <PlayerProvider value={own}>
          <TokenFlow
            run={run}
            index={index}
            reading={reading}
            wishes={NO_WISHES}
            marks={marks}
            list={list}
            onEnter={() => {}}
          />
          <TokenCard
            run={run}
            index={index}
            reading={reading}
            wishes={NO_WISHES}
            list={list}
            actionsRef={cardActions}
          />
        </PlayerProvider>
      ) : (
        <p className={styles.coming}>{words.coming}</p>
      )}
    </section>
  );
}

/** Where a run stands at `t`: at its newest frame where it has not got so far. */
function indexAtTime({ trajectory: { times, frames } }: ShownRun, t: number): number {
  return Math.max(0, Math.min(frameAt(times, t), frames.length - 1));
}
