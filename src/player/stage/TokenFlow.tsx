import { Fragment, type KeyboardEvent, type RefObject, useMemo, useState } from "react";
import { useStore } from "zustand";
import type { Reading } from "../../flow/network";
import type { ReadingName } from "../../flow/trajectory";
import { isMirrored } from "../keys/mirroredKey";
import { usePlayer } from "../PlayerContext";
import { blurOf, certaintyOf } from "../run/certainty";
import { heldAt } from "../run/held";
import { END_SIGN, type TokenText, tokenName, tokenTexts } from "../run/pieces";
import type { ShownRun } from "../run/run";
import { changedPositions } from "../run/settling";
import { nextToken } from "./nextToken";
import styles from "./TokenFlow.module.css";
import { isVisible } from "./visible";
import type { Wishes } from "./wishes";

interface Props {
  run: ShownRun;
  index: number;
  reading: ReadingName;
  wishes: Wishes;
  /** Positions that something is to be seen and said of, and what is said; none unless given. */
  marks?: ReadonlyMap<number, string> | undefined;
  /** The list of tokens, for what has to know where one of them stands. */
  list: RefObject<HTMLDivElement | null>;
  /** A token was pinned by keyboard, which wants to go on to what can be done with it. */
  onEnter: () => void;
}

/** One frame's tokens as running text, each inked by how sure the model is of it. */
export function TokenFlow({ run, index, reading, wishes, marks, list, onEnter }: Props) {
  const { inspection, words, textLanguage } = usePlayer();
  const inspected = useStore(inspection, ({ inspected }) => inspected);
  const { glance, pin } = inspection.getState();
  const [home, setHome] = useState(0);
  const { frames } = run.trajectory;
  const shown = frames[index]?.[reading] as Reading;
  // What the last step left stands, however many other words would have done.
  const isOpen = (frames[index]?.t ?? 1) < 1;
  const texts = useMemo(() => tokenTexts(shown.tokens, run.pieces, run.eos).filter(isVisible), [shown, run]);
  const held = useMemo(() => heldAt(run, index), [run, index]);
  const changed = useMemo(() => changedPositions(frames, index, reading), [frames, index, reading]);
  // The token that Tab reaches. Its position may be empty in this frame.
  const reached = texts.find(({ position }) => position >= home)?.position ?? texts[0]?.position;

  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const next = nextToken(event.key, texts, reached, isMirrored(event.currentTarget));
    if (next === undefined) return;
    // Keeps the arrows from moving time as well.
    event.preventDefault();
    event.currentTarget.querySelector<HTMLElement>(`[data-position="${next}"]`)?.focus();
  };

  return (
    <div
      ref={list}
      className={styles.tokens}
      // Text is written in its own direction, whatever that of the words around it.
      dir="auto"
      role="listbox"
      aria-label={words.tokens.list}
      aria-orientation="horizontal"
      tabIndex={-1}
      // What the model wrote, word by word; a browser that translates is to leave it alone.
      translate="no"
      data-frame={index % 2 ? "odd" : "even"}
      data-testid="stage-text"
      onKeyDown={onKeyDown}
    >
      {texts.map((text) => {
        const { position } = text;
        const isHeld = held.has(position);
        // Whoever holds a word is sure of it.
        const entropy = isHeld ? 0 : (shown.entropy[position] ?? 0);
        const name = tokenName(shown.tokens[position] as number, run.pieces, run.eos, words);
        const wish = wishes.get(position);
        const mark = marks?.get(position);
        return (
          <Fragment key={position}>
            {text.spaceBefore && <span role="none"> </span>}
            <span
              role="option"
              lang={textLanguage}
              tabIndex={position === reached ? 0 : -1}
              aria-selected={position === inspected}
              aria-label={[
                name,
                isHeld ? words.tokens.held : words.tokens.percent(probability(shown, position)),
                ...(wish ? [words.tokens.wished(wish.word)] : []),
                ...(mark ? [mark] : []),
              ].join(", ")}
              className={tokenClass(text, changed.has(position) && !isHeld, isHeld)}
              data-held={isHeld}
              data-wish={wish?.word}
              data-wish-same={wish?.token === shown.tokens[position]}
              data-mark={mark}
              data-position={position}
              style={tokenInk(entropy, isOpen)}
              onKeyDown={(event) => {
                if (event.key !== "Enter" && event.key !== " ") return;
                event.preventDefault();
                pin(position);
                onEnter();
              }}
              onFocus={() => {
                setHome(position);
                glance(position);
              }}
              onBlur={() => glance(null)}
              onPointerEnter={({ pointerType }) => pointerType === "mouse" && glance(position)}
              onPointerLeave={({ pointerType }) => pointerType === "mouse" && glance(null)}
              onClick={() => pin(position)}
            >
              {text.kind === "end" ? END_SIGN : text.text}
            </span>
          </Fragment>
        );
      })}
    </div>
  );
}

export function tokenClass({ kind, afterEnd }: Pick<TokenText, "kind" | "afterEnd">, changed: boolean, held: boolean) {
  return [
    styles.token,
    ...(held ? [styles.held] : []),
    ...(kind === "end" ? [styles.end] : []),
    ...(afterEnd ? [styles.after] : []),
    ...(changed && !afterEnd ? [styles.changed] : []),
  ].join(" ");
}

/** Ink tells how sure the model is; blur, that a word is not decided yet. */
export function tokenInk(entropy: number, isOpen: boolean): React.CSSProperties {
  const blur = isOpen ? blurOf(entropy) : 0;
  return {
    "--certainty": `${Math.round(100 * certaintyOf(entropy))}%`,
    ...(blur > 0.05 ? { filter: `blur(${blur.toFixed(2)}px)` } : {}),
  } as React.CSSProperties;
}

function probability({ tokens, topProbabilities }: Reading, position: number): number {
  const k = topProbabilities.length / tokens.length;
  return Math.round(100 * (topProbabilities[position * k] ?? 0));
}
