import { type CSSProperties, memo } from "react";
import { blurOf, certaintyOf } from "../run/certainty";
import type { TokenText } from "../run/pieces";
import styles from "./TokenFlow.module.css";

/** How a token looks: per cent of ink, and pixels of blur. */
interface Ink {
  readonly certainty: number;
  readonly blur: number;
}

interface Props extends Ink {
  readonly position: number;
  readonly text: string;
  readonly spaceBefore: boolean;
  /** What is said of it. */
  readonly label: string;
  readonly className: string;
  readonly isHeld: boolean;
  /** Whether it is the one that Tab reaches. */
  readonly isReached: boolean;
  readonly isInspected: boolean;
  /** Another word that is to stand here in another run, and whether it stands here already. */
  readonly wish: string | undefined;
  readonly isWishMet: boolean | undefined;
  readonly mark: string | undefined;
  readonly language: string | undefined;
}

/** One token of the text. All it is given can be compared, so that of a thousand those alone are drawn anew that change. */
export const Token = memo(function Token(props: Props) {
  const { position, text, spaceBefore, label, className, isHeld, isReached, isInspected, wish, isWishMet, mark } =
    props;
  return (
    <>
      {spaceBefore && <span role="none"> </span>}
      <span
        role="option"
        lang={props.language}
        tabIndex={isReached ? 0 : -1}
        aria-selected={isInspected}
        aria-label={label}
        className={className}
        data-held={isHeld}
        data-wish={wish}
        data-wish-same={isWishMet}
        data-mark={mark}
        data-position={position}
        style={tokenInk(props)}
      >
        {text}
      </span>
    </>
  );
});

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
export function inkOf(entropy: number, isOpen: boolean): Ink {
  const blur = isOpen ? blurOf(entropy) : 0;
  return { certainty: Math.round(100 * certaintyOf(entropy)), blur: blur > 0.05 ? Number(blur.toFixed(2)) : 0 };
}

export function tokenInk({ certainty, blur }: Ink): CSSProperties {
  return {
    "--certainty": `${certainty}%`,
    ...(blur > 0 ? { filter: `blur(${blur.toFixed(2)}px)` } : {}),
  } as CSSProperties;
}
