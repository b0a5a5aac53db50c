import { usePlayer } from "../PlayerContext";
import { givenText } from "../run/givenText";
import type { ShownRun } from "../run/run";

/** What the run was told to write to. It stands in front of the text and never moves: the flow leaves it alone. */
export function GivenPrompt({ run }: { run: ShownRun }) {
  const { words } = usePlayer();
  const text = givenText(run);
  if (text === null) return null;
  return (
    <p className="given" data-testid="given">
      <span className="given-label">{words.given}</span>{" "}
      <span className="given-text" translate="no" dir="auto">
        {text}
      </span>
    </p>
  );
}
