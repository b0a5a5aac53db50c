import type { ReactNode } from "react";
import type { Problem as Fault } from "../../../flow/errors";
import { Notice } from "../ui/Notice";
import styles from "./Problem.module.css";

interface Props {
  problem: Fault;
  /** Buttons and links that may mend it. */
  ways: ReactNode;
}

/** What can be done about what nobody has thought of. */
const ALWAYS = "Try again. If it happens every time, reload the page.";

/** What went wrong and what can be done about it. */
export function Problem({ problem: { code, message, action }, ways }: Props) {
  return (
    <Notice tone="fault" role="alert" data-code={code} ways={ways}>
      <p className={styles.message} data-testid="problem-message">
        {message}
      </p>
      <p>{action || ALWAYS}</p>
    </Notice>
  );
}

/** Takes a problem off the page; what it was about may still be so. */
export function Dismiss({ onPress }: { onPress: () => void }) {
  return (
    <button type="button" onClick={onPress}>
      Dismiss
    </button>
  );
}
