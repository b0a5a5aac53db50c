import type { HeldToken } from "../../../flow/held";
import { type Recipe, recipeOf, rootOf } from "../../../flow/recipe";
import { lastFrame } from "../../../player/run/run";
import type { Words } from "../../words/english";
import { runOfRecipe } from "../runs/family";
import { selectedRun } from "../runs/runs";
import type { Run } from "../runs/shelfRun";
import type { Studio } from "../studio";

/** What keeps a run's text from being taken back to noise, for the person; null where nothing does. */
export function whyNotBack(
  { runs, model }: Pick<Studio, "runs" | "model">,
  { whyNot, experiments }: Words,
): string | null {
  const run = selectedRun(runs.getState());
  const { name, manifest } = model.getState();
  if (!run) return whyNot.noRun;
  if (run.trajectory.model !== name || !manifest) return whyNot.ofOthers;
  if (run.status !== "done") return experiments.whyNot.notWhole;
  return manifest.graphs.encoder ? null : experiments.whyNot.noEncoder(manifest.title);
}

/**
 * The run that starts from the noise of another's text and follows the ODE from there, on the schedule that led back. What
 * is `held` is kept on the way forward.
 */
export function backFrom(run: Run, held: readonly HeldToken[]): Recipe {
  const { trajectory } = run;
  const frame = lastFrame(run);
  if (!frame) throw new RangeError("The run has no frame.");
  const { prompt } = rootOf(trajectory);
  const { gammaCurve: _, ...settings } = trajectory.settings;
  return recipeOf({
    settings: { ...settings, method: "ode", solver: "euler", schedule: "quantile" },
    prompt,
    back: { ids: Array.from(frame.holds.tokens) },
    held,
  });
}

/** Takes the text shown back to noise and forward again, unless the shelf has that already, and lays the two side by side. */
export async function writeBack({
  runs,
  draft,
  generation,
  comparison,
}: Pick<Studio, "runs" | "draft" | "generation" | "comparison">): Promise<void> {
  const shown = selectedRun(runs.getState());
  if (!shown) return;
  const recipe = backFrom(shown, draft.getState().held);
  const { model } = shown.trajectory;
  const written = () => runOfRecipe(recipe, model, runs.getState().runs);
  // What stands side by side gives way to the two, at once: a grid behind would be said to stay.
  comparison.getState().close();
  if (!written()) await generation.getState().write(recipe);
  const there = written();
  // It was ended, or the run it came from deleted meanwhile.
  if (!there || !runs.getState().runs.some(({ id }) => id === shown.id)) return;
  runs.getState().select(shown.id);
  comparison.getState().turn(there);
}
