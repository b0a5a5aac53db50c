import { branchAt } from "../../flow/recipe";
import type { ShownRun } from "./run";

/** Places whose token the run was told to keep, in the frames in which it does. */
export function heldAt({ trajectory }: ShownRun, index: number): ReadonlySet<number> {
  const { held = [] } = branchAt(trajectory, index).run;
  return new Set(held.map(({ position }) => position));
}
