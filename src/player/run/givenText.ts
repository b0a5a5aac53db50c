import { rootOf } from "../../flow/recipe";
import { joinText } from "./pieces";
import type { ShownRun } from "./run";

/** What a run was told to write to, as text; null where it was told nothing. */
export function givenText({ trajectory, pieces }: Pick<ShownRun, "trajectory" | "pieces">): string | null {
  const { prompt } = rootOf(trajectory);
  if (!prompt) return null;
  if ("text" in prompt) return prompt.text;
  return joinText(Int32Array.from(prompt.ids), pieces, null) || prompt.ids.join(", ");
}
