import { Component, type ReactNode } from "react";
import { type Problem as Fault, problemOf } from "../../../flow/errors";
import { useWords } from "../StudioContext";
import { Problem } from "./Problem";

interface Props {
  /** What it is, as the person would call it: "The text", "The list of runs". */
  readonly name: string;
  /** What it shows. Something else may well be shown where this could not. */
  readonly of?: unknown;
  /** Whether it is an item of a list, and what stands in its place has to be one, too. */
  readonly isItem?: boolean;
  /** What more can be done about it, where that is something else than to reload the page. */
  readonly remedy?: ReactNode;
  readonly children: ReactNode;
}

interface State {
  readonly problem: Fault | null;
}

/** Milliseconds within which a part that was shown anew does not fail again, if that has helped. */
const CALM = 1000;

/**
 * A part of the page. Where it cannot be drawn, it says so in its place and everything else stays: the runs are not in
 * what is drawn. Programs that change the page from outside, browsers that translate among them, may have taken away what
 * React wants to change; drawn anew it is right, so that is done at once and without a word.
 */
export class Part extends Component<Props, State> {
  override state: State = { problem: null };
  #lastRedrawn = Number.NEGATIVE_INFINITY;

  static getDerivedStateFromError(error: unknown): State {
    return { problem: problemOf(error) };
  }

  override componentDidCatch(error: unknown): void {
    const isCalm = performance.now() - this.#lastRedrawn > CALM;
    if (!isOfTheDocument(error) || !isCalm) return;
    this.#lastRedrawn = performance.now();
    this.#drawAnew();
  }

  override componentDidUpdate({ of }: Props): void {
    if (this.state.problem && of !== this.props.of) this.#drawAnew();
  }

  override render(): ReactNode {
    const { name, isItem, remedy, children } = this.props;
    const { problem } = this.state;
    if (!problem) return children;
    const box = <Failed name={name} problem={problem} remedy={remedy} onAgain={this.#drawAnew} />;
    return isItem ? <li>{box}</li> : box;
  }

  readonly #drawAnew = () => this.setState({ problem: null });
}

interface FailedProps extends Pick<Props, "name" | "remedy"> {
  readonly problem: Fault;
  readonly onAgain: () => void;
}

function Failed({ name, problem, remedy, onAgain }: FailedProps) {
  const { parts } = useWords();
  const shown = { code: "part", message: parts.failed(name, sentence(problem.message)), action: parts.runsKept };
  return (
    <Problem
      problem={shown}
      isOwn
      ways={
        <>
          <button type="button" onClick={onAgain}>
            {parts.again}
          </button>
          {/* What could not be fetched isn't fetched again by drawing it anew. */}
          {remedy ?? (
            <button type="button" onClick={() => location.reload()}>
              {parts.reload}
            </button>
          )}
        </>
      }
    />
  );
}

/** What the browser throws where nodes are not where they were put. */
function isOfTheDocument(error: unknown): boolean {
  return error instanceof DOMException && ["NotFoundError", "HierarchyRequestError"].includes(error.name);
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
