import type { ReactNode } from "react";
import type { Problem as Fault } from "../../session/problem";
import { Icon } from "../ui/Icon";
import "./Problem.css";

interface Props {
  problem: Fault;
  onDismiss: () => void;
  /** Buttons and links that may mend it. */
  children?: ReactNode;
}

/** What went wrong and what can be done about it. */
export function Problem({ problem, onDismiss, children }: Props) {
  return (
    <div className="problem" role="alert" data-code={problem.code}>
      <Icon name="warning" />
      <div>
        <p className="problem-message">{problem.message}</p>
        <p>{problem.action}</p>
        <div className="problem-buttons">
          {children}
          <button type="button" onClick={onDismiss}>
            Dismiss
          </button>
        </div>
      </div>
    </div>
  );
}
