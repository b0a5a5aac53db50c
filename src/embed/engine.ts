/** The one engine of all elements of a page. */
import type { Recipe } from "../flow/recipe";
import { recipeIn } from "../format/link";
import { createEngine, startEngineWorker } from "../worker/client";
import { startModule } from "../worker/elsewhere";
import { addressIn } from "../worker/trust";
import { Broker } from "./broker";
import { wantedWorker } from "./configuration";
import { RecipeError } from "./errors";

export const broker = new Broker(
  createEngine(() => startModule(wantedWorker() ?? addressIn(startEngineWorker), "elf-engine")),
);

/**
 * The recipe in the end of a link to a run.
 * @throws {RecipeError} there is none in it.
 */
export function recipeOfLink(link: string): Recipe {
  const end = link.slice(link.indexOf("#") + 1);
  const recipe = recipeIn(end.startsWith("run=") ? end : `run=${end}`);
  if (recipe) return recipe;
  throw new RecipeError(
    `“${link.slice(0, 80)}” tells of no run.`,
    "Copy the link of a run from the page again; what stands behind its # is the recipe.",
  );
}
