/** Several runs written at once, where a batch takes the network little longer than one sample: on a GPU. */
import { Gathering } from "../flow/gathering";
import { passesOf } from "../runtime/gpu/plan";
import type { Model } from "../runtime/load";
import { runsAtOnce } from "../runtime/memoryPlan";
import type { RunEvent, RunResult } from "./api";
import type { RunPlan } from "./plan";
import { followRun, type WriteOptions, writeRun } from "./writeRun";

/** A run to be written beside others. */
export interface Companion {
  readonly plan: RunPlan;
  readonly options: WriteOptions;
  onEvent(event: RunEvent): void;
}

/**
 * How many of these runs, from the first on, are to be written at once: as many as the plan of memory has room for, and one
 * where the network computes on a processor, whose passes take as long together as one after another.
 */
export function companyOf({ backend, manifest, network }: Model, plans: readonly RunPlan[]): number {
  if (backend !== "webgpu") return Math.min(1, plans.length);
  let [length, rows] = [0, 0];
  for (const [count, { recipe, source }] of plans.entries()) {
    const { passes } = passesOf(recipe.settings, source.length > 0, network.takesSelfCondScale);
    length = Math.max(length, recipe.settings.length);
    // A frame is two latents.
    rows = Math.max(rows, passes, 2);
    if (count > 0 && runsAtOnce(manifest, length, rows) <= count) return count;
  }
  return plans.length;
}

/**
 * Writes runs at once, each as `writeRun` writes it alone; its tokens are those of plain arrays, for z and x̂ come back after
 * every step. One that is cancelled or fails leaves the others as they are, but a fault of the network is every run's.
 * @returns the result of each.
 */
export function writeTogether(model: Model, runs: readonly Companion[]): Promise<RunResult>[] {
  const gathering = new Gathering(model.network, runs.length);
  const network = { ...gathering.network, dispose: () => model.network.dispose() };
  const shared: Model = { ...model, network, gpu: undefined };
  return runs.map(async ({ plan, options, onEvent }) => {
    try {
      return await followRun(writeRun(shared, plan, options), onEvent);
    } finally {
      gathering.leave();
    }
  });
}
