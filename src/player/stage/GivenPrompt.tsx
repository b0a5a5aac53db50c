import { type Prompt, rootOf } from "../../flow/recipe";
import { usePlayer } from "../PlayerContext";
import { joinText } from "../run/pieces";
import type { ShownRun } from "../run/run";

/** What the run was told to write to. It stands in front of the text and never moves: the flow leaves it alone. */
export function GivenPrompt({ run }: { run: ShownRun }) {
  const { words } = usePlayer();
  const { prompt } = rootOf(run.trajectory);
  if (!prompt) return null;
  return (
    <p className="given" data-testid="given">
      <span className="given-label">{words.given}</span>{" "}
      <span className="given-text" translate="no">
        {textOf(prompt, run)}
      </span>
    </p>
  );
}

function textOf(prompt: Prompt, { pieces }: ShownRun): string {
  if ("text" in prompt) return prompt.text;
  return joinText(Int32Array.from(prompt.ids), pieces, null) || prompt.ids.join(", ");
}
