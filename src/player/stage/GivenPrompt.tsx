import { usePlayer } from "../PlayerContext";
import { givenText } from "../run/givenText";
import type { ShownRun } from "../run/run";
import styles from "./GivenPrompt.module.css";

/** What the run was told to write to. It stands in front of the text and never moves: the flow leaves it alone. */
export function GivenPrompt({ run }: { run: ShownRun }) {
  const { words, textLanguage } = usePlayer();
  const text = givenText(run);
  if (text === null) return null;
  return (
    <p className={styles.given} data-testid="given">
      <span className={styles.label}>{words.given}</span>{" "}
      <span className={styles.text} translate="no" lang={textLanguage} dir="auto">
        {text}
      </span>
    </p>
  );
}
