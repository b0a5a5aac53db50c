/** What experiments are made of: a recipe from noise, which they change in a setting or two. */
import { type Recipe, recipeOf, rootOf } from "../../../flow/recipe";
import { unguided } from "../../../flow/settings";
import { selectedRun } from "../runs/runs";
import type { Studio } from "../studio";
import { promptOf } from "../writing/prompt";

/** The run shown, from noise; null where there is none, or where it is another model's. */
export function shownBase({ runs, model }: Pick<Studio, "runs" | "model">): Recipe | null {
  const run = selectedRun(runs.getState());
  return run && run.trajectory.model === model.getState().name ? recipeOf(rootOf(run.trajectory)) : null;
}

/**
 * What the next run would be, at the seed that stands there; null while nothing is known of the model.
 * @throws {ConditionError} the prompt cannot be used.
 */
export function draftedBase({ draft, settings, model }: Pick<Studio, "draft" | "settings" | "model">): Recipe | null {
  const { manifest } = model.getState();
  if (!manifest) return null;
  const prompt = promptOf(draft.getState(), manifest);
  const { values } = settings.getState();
  return recipeOf({ settings: prompt ? values : unguided(values), prompt, held: draft.getState().held });
}
