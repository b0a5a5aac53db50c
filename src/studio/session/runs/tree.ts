import { familiesOf } from "./family";
import type { Run } from "./shelfRun";

/** A run's place in the tree of those it continues and those that continue it. */
export interface Branch {
  readonly run: Run;
  /** Its line, counted from the top. */
  readonly lane: number;
  /** Where it leaves the run that it continues: that run's line, and t from 0 to 1. Null for one from noise, or whose parent is not there. */
  readonly leaves: { readonly lane: number; readonly time: number } | null;
}

/**
 * The runs that belong together by forks, each family from its first run on, every run below what it continues; newer families
 * first. Runs without a family are left out: there is nothing to see of them.
 */
export function treeOf(runs: readonly Run[]): Branch[] {
  const families = familiesOf(runs);
  const branches: Branch[] = [];
  const grow = (run: Run, leaves: Branch["leaves"]) => {
    const lane = branches.length;
    branches.push({ run, lane, leaves });
    for (const child of families.get(run)?.forks.toReversed() ?? []) {
      grow(child, { lane, time: child.trajectory.times[child.trajectory.from?.step ?? 0] ?? 0 });
    }
  };
  for (const run of runs) {
    const family = families.get(run);
    if (family && !family.parent) grow(run, null);
  }
  return branches;
}
