import { type KeyboardEvent, type ReactNode, type RefObject, useLayoutEffect, useRef } from "react";
import { useStore } from "zustand";
import type { Reading } from "../../flow/network";
import type { ReadingName } from "../../flow/trajectory";
import { usePlayer } from "../PlayerContext";
import { describeEntropy } from "../run/certainty";
import { tokenName, tokenTexts } from "../run/pieces";
import type { ShownRun } from "../run/run";
import { lastChange } from "../run/settling";
import { Icon } from "../ui/Icon";
import type { Words } from "../words";
import { watchLeaving } from "./leaving";
import { placeBy } from "./placing";
import styles from "./TokenCard.module.css";
import { isVisible } from "./visible";
import type { Wish, Wishes } from "./wishes";

interface Props {
  run: ShownRun;
  index: number;
  reading: ReadingName;
  wishes: Wishes;
  /** The list of tokens that the card stands by. */
  list: RefObject<HTMLDivElement | null>;
  /** Wishes a token for its place, where that can be done. */
  onWish?: ((wish: Wish) => void) | undefined;
  /** What else can be done with the token at a position. */
  actions?: ((run: ShownRun, position: number) => ReactNode) | undefined;
  /** Around the actions, for what wants to put the keyboard there. */
  actionsRef: RefObject<HTMLDivElement | null>;
}

const STOPS = "button, input, a[href]";

/** What else could stand at the token looked at, at this t. */
export function TokenCard({ run, index, reading, wishes, list, onWish, actions, actionsRef }: Props) {
  const { inspection, grounds, words, textLanguage } = usePlayer();
  const { inspected: position, pinned } = useStore(inspection);
  const card = useRef<HTMLDivElement>(null);
  const frame = run.trajectory.frames[index];
  const shown = frame?.[reading];
  const open = position !== null && shown !== undefined && isOnStage(position, shown, run);

  useLayoutEffect(() => {
    const element = card.current;
    if (!open || !element) return;
    // Browsers without popovers show it where it is, above all but what else is fixed.
    element.showPopover?.();
    return watchLeaving(element, grounds, () => {
      const root = element.getRootNode() as Document | ShadowRoot;
      const inside = element.contains(root.activeElement);
      const { inspected, pin } = inspection.getState();
      pin(null);
      // Back to where the keyboard came from.
      if (inside) tokenElement(list.current, inspected)?.focus();
    });
  }, [open, grounds, inspection, list]);

  // Text flows anew with every frame, and the token may be another element in it.
  useLayoutEffect(() => {
    const token = tokenElement(list.current, position);
    if (open && shown && token && card.current) return placeBy(token, card.current);
  }, [open, position, shown, list]);

  if (!open) return null;
  const changed = lastChange(run.trajectory.frames, index, reading, position);
  const entropy = shown.entropy[position] ?? 0;
  const wish = wishes.get(position);
  return (
    <div
      ref={card}
      className={styles.card}
      // In the top layer, so that no part of the page cuts it off; when it goes is told by `watchLeaving`.
      popover="manual"
      role="dialog"
      part="card"
      aria-label={words.card.label(position + 1)}
      tabIndex={-1}
      data-pinned={pinned}
      onKeyDown={keepTabInside}
    >
      <h2>
        <span translate="no" lang={textLanguage}>
          {tokenName(shown.tokens[position] as number, run.pieces, run.eos, words)}
        </span>
        <small>{words.card.position(position + 1)}</small>
      </h2>
      <ul>
        {alternatives(shown, position, run, words).map(({ token, word, probability }) => (
          <li key={token}>
            <span className={styles.name} translate="no" lang={textLanguage}>
              {word}
            </span>
            <span className={styles.bar} aria-hidden="true">
              <i style={{ width: `${100 * probability}%` }} />
            </span>
            <span className={styles.percent}>{percent(probability)}</span>
            {pinned && onWish && (
              <button
                type="button"
                className={styles.hold}
                aria-label={words.card.hold(word)}
                aria-pressed={wish?.token === token}
                onClick={() => onWish({ position, token, word })}
              >
                <Icon name="lock" size={15} />
              </button>
            )}
          </li>
        ))}
      </ul>
      <p>
        <b>{words.card.nats(entropy)}</b>
        <span>{`, ${describeEntropy(entropy, words)}. ${changed ? words.card.changed(changed.t, changed.step) : words.card.neverChanged}`}</span>
      </p>
      {pinned && actions && (
        <div ref={actionsRef} key={position}>
          {actions(run, position)}
        </div>
      )}
    </div>
  );
}

/** From the last thing to press on to the first, and back: what comes after the card in the page is not what comes next. */
function keepTabInside(event: KeyboardEvent<HTMLElement>): void {
  if (event.key !== "Tab" || event.ctrlKey || event.metaKey || event.altKey) return;
  const stops = event.currentTarget.querySelectorAll<HTMLElement>(STOPS);
  const first = stops[0];
  const last = stops[stops.length - 1];
  const next = event.shiftKey ? (event.target === first ? last : undefined) : event.target === last ? first : undefined;
  if (!next) return;
  event.preventDefault();
  next.focus();
}

/** Whether there is something to see at a position in this frame. */
function isOnStage(position: number, { tokens }: Reading, { pieces, eos }: ShownRun): boolean {
  return tokenTexts(tokens, pieces, eos).some((text) => text.position === position && isVisible(text));
}

function tokenElement(list: HTMLElement | null, position: number | null): HTMLElement | null {
  return list?.querySelector<HTMLElement>(`[data-position="${position}"]`) ?? null;
}

function alternatives(
  { tokens, topTokens, topProbabilities }: Reading,
  position: number,
  { pieces, eos }: ShownRun,
  words: Words,
) {
  const k = topTokens.length / tokens.length;
  return Array.from(topTokens.subarray(position * k, (position + 1) * k).slice(0, 6), (token, rank) => ({
    token,
    word: tokenName(token, pieces, eos, words),
    probability: topProbabilities[position * k + rank] ?? 0,
  }));
}

function percent(probability: number): string {
  const share = 100 * probability;
  return share > 0 && share < 1 ? "< 1 %" : `${Math.round(share)} %`;
}
