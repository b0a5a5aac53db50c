import type { ReactNode } from "react";
import type { Problem as Fault } from "../../../flow/errors";
import { useWords } from "../StudioContext";
import { Notice } from "../ui/Notice";
import styles from "./Problem.module.css";

interface Props {
  problem: Fault;
  /** Whether the page itself says it, in its own language. */
  isOwn?: boolean;
  /** Buttons and links that may mend it. */
  ways: ReactNode;
}

/** What went wrong and what can be done about it. Errors say it in English: another language says of what kind it is. */
export function Problem({ problem: { code, message, action }, isOwn = false, ways }: Props) {
  const words = useWords().problems;
  const heading = isOwn ? null : words.heading(code);
  const lang = heading === null ? undefined : "en";
  return (
    <Notice tone="fault" role="alert" data-code={code} ways={ways}>
      {heading !== null && <p className={styles.message}>{heading}</p>}
      <p className={styles.message} data-testid="problem-message" lang={lang}>
        {message}
      </p>
      {action ? <p lang={lang}>{action}</p> : <p>{words.always}</p>}
    </Notice>
  );
}

/** Takes a problem off the page; what it was about may still be so. */
export function Dismiss({ onPress }: { onPress: () => void }) {
  const words = useWords().problems;
  return (
    <button type="button" onClick={onPress}>
      {words.dismiss}
    </button>
  );
}
