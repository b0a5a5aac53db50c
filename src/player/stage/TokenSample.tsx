import { END_SIGN } from "../run/pieces";
import { inkOf, tokenClass, tokenInk } from "./Token";
import styles from "./TokenFlow.module.css";

interface Props {
  /** The word; the sign for the end of a text where there is none. */
  readonly word?: string;
  /** How open it is, in nats. */
  readonly entropy?: number;
  /** Whether the run has not come to its last step. */
  readonly isOpen?: boolean;
  readonly changed?: boolean;
  readonly held?: boolean;
  /** Stands after the end of the text. */
  readonly afterEnd?: boolean;
  /** Is to be held in the next run. */
  readonly wished?: boolean;
}

/** One word with a mark, as the stage draws it and by what the stage draws it with; a mark that fades does not here. */
export function TokenSample(props: Props) {
  const { word, entropy = 0, isOpen = true, changed = false, held = false, afterEnd = false, wished = false } = props;
  const kind = word === undefined ? "end" : "word";
  return (
    <span className={styles.tokens} data-frame="even">
      <span
        className={tokenClass({ kind, afterEnd }, changed, held)}
        data-wish={wished ? word : undefined}
        style={{ ...tokenInk(inkOf(entropy, isOpen)), animationPlayState: "paused" }}
      >
        {word ?? END_SIGN}
      </span>
    </span>
  );
}
