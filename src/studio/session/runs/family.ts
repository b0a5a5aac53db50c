import { type Recipe, recipeKey } from "../../../flow/recipe";
import type { Run } from "./shelfRun";

/** The run on the shelf that `run` continues; undefined where it is not there, or where `run` comes from noise. */
export function parentOf(run: Run, runs: readonly Run[]): Run | undefined {
  const { from, model } = run.trajectory;
  return from && runs.find((other) => isOf(other, from.run, model));
}

/** The runs on the shelf that continue `run`. */
export function forksOf(run: Run, runs: readonly Run[]): Run[] {
  return runs.filter(({ trajectory: { from, model } }) => from !== undefined && isOf(run, from.run, model));
}

/** The run of a recipe, where it is on the shelf and whole. */
export function runOfRecipe(recipe: Recipe, model: string, runs: readonly Run[]): Run | undefined {
  return runs.find((run) => run.status === "done" && isOf(run, recipe, model));
}

/** Runs are known by their recipes: one that is written once more, or comes by a link, is the same run. */
function isOf({ trajectory }: Run, recipe: Recipe, model: string): boolean {
  return trajectory.model === model && recipeKey(trajectory) === recipeKey(recipe);
}
