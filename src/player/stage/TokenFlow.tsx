import { type KeyboardEvent, type RefObject, useMemo, useRef, useState } from "react";
import { useStore } from "zustand";
import type { Reading } from "../../flow/network";
import type { ReadingName } from "../../flow/trajectory";
import { isMirrored } from "../keys/mirroredKey";
import { usePlayer } from "../PlayerContext";
import { heldAt } from "../run/held";
import { END_SIGN, tokenName, tokenTexts } from "../run/pieces";
import type { ShownRun } from "../run/run";
import { changedPositions } from "../run/settling";
import { nextToken } from "./nextToken";
import { inkOf, Token, tokenClass } from "./Token";
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

/** Tokens of a text that blurs, and fades from frame to frame. Of a longer one that alone would take longer than a frame is shown. */
const MOST_MOVING = 256;

/** One frame's tokens as running text, each inked by how sure the model is of it. */
export function TokenFlow({ run, index, reading, wishes, marks, list, onEnter }: Props) {
  const { inspection, words, textLanguage } = usePlayer();
  const inspected = useStore(inspection, ({ inspected }) => inspected);
  const { glance, pin } = inspection.getState();
  const [home, setHome] = useState(0);
  const pointed = useRef<number>(undefined);
  const { frames } = run.trajectory;
  const shown = frames[index]?.[reading] as Reading;
  // What the last step left stands, however many other words would have done.
  const isOpen = (frames[index]?.t ?? 1) < 1;
  const isLong = shown.tokens.length > MOST_MOVING;
  // A run that grows is another one each time, and has the same pieces.
  const { pieces, eos } = run;
  const texts = useMemo(() => tokenTexts(shown.tokens, pieces, eos).filter(isVisible), [shown, pieces, eos]);
  const held = useMemo(() => heldAt(run, index), [run, index]);
  const changed = useMemo(() => changedPositions(frames, index, reading), [frames, index, reading]);
  // The token that Tab reaches. Its position may be empty in this frame.
  const reached = texts.find(({ position }) => position >= home)?.position ?? texts[0]?.position;

  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const own = positionOf(event.target);
    if (own !== undefined && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      pin(own);
      onEnter();
      return;
    }
    const next = nextToken(event.key, texts, reached, isMirrored(event.currentTarget));
    if (next === undefined) return;
    // Keeps the arrows from moving time as well.
    event.preventDefault();
    event.currentTarget.querySelector<HTMLElement>(`[data-position="${next}"]`)?.focus();
  };

  const point = (position: number | undefined) => {
    if (position === pointed.current) return;
    pointed.current = position;
    glance(position ?? null);
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
      data-long={isLong}
      // One hand for all tokens: of a long text each would have five of its own, made anew in every frame.
      onKeyDown={onKeyDown}
      onFocus={({ target }) => {
        const own = positionOf(target);
        if (own === undefined) return;
        setHome(own);
        glance(own);
      }}
      onBlur={({ target }) => positionOf(target) !== undefined && glance(null)}
      onPointerOver={({ target, pointerType }) => pointerType === "mouse" && point(positionOf(target))}
      onPointerLeave={() => point(undefined)}
      onClick={({ target }) => {
        const own = positionOf(target);
        if (own !== undefined) pin(own);
      }}
    >
      {texts.map((text) => {
        const { position } = text;
        const isHeld = held.has(position);
        // Whoever holds a word is sure of it.
        const entropy = isHeld ? 0 : (shown.entropy[position] ?? 0);
        const wish = wishes.get(position);
        const mark = marks?.get(position);
        return (
          <Token
            key={position}
            position={position}
            text={text.kind === "end" ? END_SIGN : text.text}
            spaceBefore={text.spaceBefore}
            label={[
              tokenName(shown.tokens[position] as number, run.pieces, run.eos, words),
              isHeld ? words.tokens.held : words.tokens.percent(probability(shown, position)),
              ...(wish ? [words.tokens.wished(wish.word)] : []),
              ...(mark ? [mark] : []),
            ].join(", ")}
            className={tokenClass(text, changed.has(position) && !isHeld, isHeld)}
            isHeld={isHeld}
            isReached={position === reached}
            isInspected={position === inspected}
            wish={wish?.word}
            isWishMet={wish ? wish.token === shown.tokens[position] : undefined}
            mark={mark}
            {...inkOf(entropy, isOpen && !isLong)}
            language={textLanguage}
          />
        );
      })}
    </div>
  );
}

function probability({ tokens, topProbabilities }: Reading, position: number): number {
  const k = topProbabilities.length / tokens.length;
  return Math.round(100 * (topProbabilities[position * k] ?? 0));
}

/** The position of the token that an event is of; undefined for what stands between. */
function positionOf(target: EventTarget): number | undefined {
  const token = target instanceof Element ? target.closest<HTMLElement>("[data-position]") : null;
  return token ? Number(token.dataset.position) : undefined;
}
