import { type ReactNode, useRef } from "react";
import { useStore } from "zustand";
import type { Frame } from "../../flow/trajectory";
import { useGround, usePlayer } from "../PlayerContext";
import { readingAt, type ShownRun } from "../run/run";
import { GivenPrompt } from "./GivenPrompt";
import { Progress } from "./Progress";
import { ReadingChoice } from "./ReadingChoice";
import { reservedTexts } from "./reservedTexts";
import styles from "./Stage.module.css";
import { TokenCard } from "./TokenCard";
import { TokenFlow } from "./TokenFlow";
import { NO_WISHES, type Wish, type Wishes } from "./wishes";

/** What only some apps can do or say; what is left out is not there to be seen. */
export interface StageProps {
  /** Tokens that another run is to keep, marked where they will stand. */
  readonly wishes?: Wishes;
  /** Wishes a token for its place in another run. */
  readonly onWish?: ((wish: Wish) => void) | undefined;
  readonly slots?: StageSlots;
  /** Whether a run is on its way, and its room is kept. */
  readonly isComing?: boolean;
  /** Number of tokens that a run still to come will have. */
  readonly length?: number;
}

export interface StageSlots {
  /** Between the choice of reading and the text. */
  readonly aboveText?: ReactNode;
  /** In place of a text where there is none. */
  readonly empty?: ReactNode;
  /** At the foot of the card of a pinned token. */
  readonly cardActions?: (run: ShownRun, position: number) => ReactNode;
  /** Puts something around the card, for an app that says which part of it fails; with another frame it may succeed. */
  readonly aroundCard?: (card: ReactNode, frame: Frame | undefined) => ReactNode;
}

/** The text at the time on the transport. */
export function Stage({ wishes = NO_WISHES, onWish, slots = {}, isComing = false, length: coming = 0 }: StageProps) {
  const { run: runStore, playback, display, words } = usePlayer();
  const ground = useGround();
  const list = useRef<HTMLDivElement>(null);
  const actions = useRef<HTMLDivElement>(null);
  const run = useStore(runStore);
  const reading = useStore(display, ({ reading }) => reading);
  const index = useStore(playback, ({ index }) => index);
  const shown = run ? readingAt(run, index, reading) : undefined;
  const length = run?.trajectory.settings.length ?? coming;
  const [longest, ordinary] = reservedTexts(run, length);
  const card = run && (
    <TokenCard
      run={run}
      index={index}
      reading={reading}
      wishes={wishes}
      list={list}
      onWish={onWish}
      actions={slots.cardActions}
      actionsRef={actions}
    />
  );

  return (
    <div className={`player ${styles.stage}`} part="stage" ref={ground}>
      <div className={styles.bar} data-piece="readings">
        <ReadingChoice />
        {/* Another element for each: a browser that translates has put the text of one into elements of its own. */}
        <p className={styles.hint} data-piece="hint" key={reading}>
          <Marked text={reading === "holds" ? words.readings.holdsIs : words.readings.expectsIs} />
        </p>
        {run && <Progress run={run} index={index} reading={reading} />}
      </div>
      {slots.aboveText}
      <div className={styles.room} part="text" data-size={sizeFor(length)}>
        {run && shown && <GivenPrompt run={run} />}
        {shown || isComing ? (
          <div className={styles.sheet} data-piece="sheet">
            <p className={styles.sizer} data-piece="sizer" aria-hidden="true" translate="no" dir="auto">
              {longest}
            </p>
            <p className={styles.sizer} data-piece="sizer" aria-hidden="true" translate="no" dir="auto">
              {ordinary}
            </p>
            {run && shown && (
              <TokenFlow
                run={run}
                index={index}
                reading={reading}
                wishes={wishes}
                list={list}
                // The card has to be there first.
                onEnter={() => requestAnimationFrame(() => firstStop(actions.current)?.focus())}
              />
            )}
          </div>
        ) : (
          slots.empty
        )}
      </div>
      {card && (slots.aroundCard?.(card, run?.trajectory.frames[index]) ?? card)}
    </div>
  );
}

/** A sentence in which what stands between `*` is in italics. */
function Marked({ text }: { text: string }) {
  // A part has no name but its place, which it keeps.
  // biome-ignore lint/suspicious/noArrayIndexKey: see above.
  return text.split("*").map((part, i) => (i % 2 ? <i key={i}>{part}</i> : part));
}

function sizeFor(length: number): "large" | "medium" {
  return length <= 96 ? "large" : "medium";
}

function firstStop(place: HTMLElement | null): HTMLElement | null | undefined {
  return place?.querySelector<HTMLElement>("button, input, a[href]");
}
