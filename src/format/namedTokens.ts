import { type Recipe, rootOf } from "../flow/recipe";

/**
 * The tokens that a kept run cannot be shown without, each once: those of its prompt, those that it and the runs before it
 * hold, and those of its readings. A vocabulary is larger than a run, so only their pieces are kept with it.
 */
export function namedTokens(recipe: Recipe, readings: Iterable<Iterable<number>>): number[] {
  const { prompt } = rootOf(recipe);
  const named = new Set([...(prompt && "ids" in prompt ? prompt.ids : []), ...heldOf(recipe)]);
  for (const tokens of readings) for (const token of tokens) named.add(token);
  return [...named];
}

function heldOf({ held = [], from }: Recipe): number[] {
  return [...held.map(({ token }) => token), ...(from ? heldOf(from.run) : [])];
}
