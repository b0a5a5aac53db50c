import { checkSources } from "../flow/condition";
import type { Source } from "../flow/network";
import {
  checkRecipe,
  checkShape,
  type Path,
  type Prompt,
  pathOf,
  type Recipe,
  recipeKey,
  recipeOf,
  rootOf,
} from "../flow/recipe";
import { wellFormed } from "../flow/text";
import type { Model } from "../runtime/load";
import type { Tokenizer } from "../runtime/tokenizer";

/** A recipe that has been found good for a model, with all that can be said of its run before the first pass. */
export interface RunPlan {
  readonly recipe: Recipe;
  /** To remember the run by. */
  readonly key: string;
  /** The tokens of its prompt; none where it has no prompt. */
  readonly source: Source;
  readonly path: Path;
  /** The run it continues. */
  readonly parent: RunPlan | undefined;
}

/**
 * Checks a recipe for a model, prompt and ancestors included.
 * @throws {SettingsError | ConditionError | TokenizerError}
 */
export function planRecipe({ manifest, tokenizer }: Model, asked: Recipe): RunPlan {
  const { architecture, schedule } = manifest;
  checkShape(asked);
  // A fork may name a frame that its parent only goes on from, which is not the parent's to give.
  const recipe = recipeOf(asked);
  const source = sourceOf(rootOf(recipe).prompt, tokenizer);
  // A model that may do without a prompt writes freely to one that says nothing.
  const given = source && (source.length > 0 || !architecture.sourceOptional) ? [source] : [];
  checkSources(given, 1, recipe.settings.length, architecture);
  const tokens = source ?? [];
  checkRecipe(recipe, tokens.length, { ...architecture, schedule });
  const plan = (part: Recipe): RunPlan => ({
    recipe: part,
    key: recipeKey(part),
    source: tokens,
    path: pathOf(part, schedule),
    parent: part.from && plan(part.from.run),
  });
  return plan(recipe);
}

/** The tokens of a prompt; undefined where there is none. */
function sourceOf(prompt: Prompt | undefined, tokenizer: Tokenizer): Source | undefined {
  if (!prompt) return undefined;
  return "ids" in prompt ? prompt.ids : tokenizer.encode(wellFormed(prompt.text));
}
