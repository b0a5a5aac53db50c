import { type Recipe, rootOf } from "../../../flow/recipe";
import type { Words } from "../../words/english";
import type { Variant } from "./experiments";

/**
 * What the runs side by side are called, each otherwise: those whose settings are the same by what else they were written by, and
 * where that says the same of them, too, by their number.
 */
export function labelsOf(members: readonly Variant[], words: Words): string[] {
  const plain = members.map(({ label }) => label(words));
  const said = members.map(({ recipe }, i) => {
    const label = plain[i] as string;
    const isShared = plain.filter((other) => other === label).length > 1;
    return isShared ? [label, ...factsOf(recipe, words)].join(" · ") : label;
  });
  return said.map((label, i) => {
    const before = said.slice(0, i).filter((other) => other === label).length;
    return before > 0 ? `${label} (${before + 1})` : label;
  });
}

/** Words of a prompt by which it is known. */
const BEGINNING = 6;

/** What a recipe has besides its settings. */
function factsOf(recipe: Recipe, { runs, generate }: Words): string[] {
  const { from, held = [] } = recipe;
  const { prompt } = rootOf(recipe);
  const typed = prompt && ("text" in prompt ? prompt.text.trim() : Array.from(prompt.ids).join(" "));
  return [
    ...(typed ? [runs.quoted(typed.split(/\s+/).slice(0, BEGINNING).join(" "))] : []),
    ...(from ? [generate.fromStep(from.step)] : []),
    ...(held.length > 0 ? [runs.held(held.length)] : []),
  ];
}
