import { type Recipe, recipeKey } from "../../../flow/recipe";
import { canBeShown, frameCount, type Run } from "./shelfRun";

/** The run on the shelf that `run` continues; undefined where it is not there, or where `run` comes from noise. */
export function parentOf(run: Run, runs: readonly Run[]): Run | undefined {
  const { from, model } = run.trajectory;
  const key = from && keyOf(model, from.run);
  return key === undefined ? undefined : runs.find((other) => ownKey(other) === key);
}

/** What each of the runs continues, and which continue it, among them; one that has neither is not there. */
export function familiesOf(runs: readonly Run[]): ReadonlyMap<Run, Family> {
  const byKey = new Map<string, Run>();
  // Of several the newest, which stands before the others.
  for (const run of runs.toReversed()) byKey.set(ownKey(run), run);
  const families = new Map<Run, { parent?: Run; forks: Run[] }>();
  const familyOf = (run: Run) => {
    const family = families.get(run) ?? { forks: [] };
    families.set(run, family);
    return family;
  };
  for (const run of runs) {
    const { from, model } = run.trajectory;
    const parent = from && byKey.get(keyOf(model, from.run));
    if (!parent) continue;
    familyOf(run).parent = parent;
    familyOf(parent).forks.push(run);
  }
  return families;
}

export interface Family {
  readonly parent?: Run;
  readonly forks: readonly Run[];
}

/** The run of a recipe, where it is on the shelf and whole, or has as many frames as are `enough`. */
export function runOfRecipe(
  recipe: Recipe,
  model: string,
  runs: readonly Run[],
  enough = Number.POSITIVE_INFINITY,
): Run | undefined {
  const key = keyOf(model, recipe);
  return runs.find((run) => ownKey(run) === key && (run.status === "done" || frameCount(run) >= enough));
}

/** Whether a run of a recipe is on the shelf, whole or not. */
export function isBegun(recipe: Recipe, model: string, runs: readonly Run[]): boolean {
  const key = keyOf(model, recipe);
  return runs.some((run) => ownKey(run) === key);
}

/** Runs are known by their recipes: one that is written once more, or comes by a link, is the same run. */
export function keyOf(model: string, recipe: Recipe): string {
  let key = known.get(recipe);
  if (key === undefined) {
    key = recipeKey(recipe);
    known.set(recipe, key);
  }
  return `${model} ${key}`;
}

/** A key is asked for whenever a shelf of a thousand runs changes, and takes a while to make. */
const known = new WeakMap<Recipe, string>();

function ownKey(run: Run): string {
  return canBeShown(run) ? keyOf(run.trajectory.model, run.trajectory) : "";
}
