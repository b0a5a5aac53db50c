import { expect, it } from "vitest";
import { runOf } from "../../testing/runs";
import type { Run } from "./shelfRun";
import { treeOf } from "./tree";

const frames = ["▁the", "▁cat", "▁sat"];
const root = (id: string, seed: number): Run => {
  const run = runOf(frames, { id });
  const settings = { ...run.trajectory.settings, seed };
  return { ...run, trajectory: { ...run.trajectory, settings } };
};
const forkOf = ({ trajectory }: Run, step: number, id: string): Run => {
  const { settings, held, from, times } = trajectory;
  const branch = { run: { settings, held, from }, step };
  return runOf(frames, { id, trajectory: { ...trajectory, times, from: branch } });
};
const drawn = (runs: readonly Run[]) =>
  treeOf(runs).map(
    ({ run, lane, leaves }) => `${lane} ${run.id}${leaves ? ` from ${leaves.lane} at ${leaves.time}` : ""}`,
  );

it("every run stands below the one that it continues, older forks first; newer families come first", () => {
  const [old, young] = [root("old", 1), root("young", 2)];
  const [a, b, c] = [forkOf(old, 1, "a"), forkOf(old, 2, "b"), forkOf(young, 1, "c")];
  const again = forkOf(a, 2, "again");
  const [, half = Number.NaN] = old.trajectory.times;
  expect(drawn([again, c, young, b, a, old])).toEqual([
    "0 young",
    `1 c from 0 at ${half}`,
    "2 old",
    `3 a from 2 at ${half}`,
    "4 again from 3 at 1",
    "5 b from 2 at 1",
  ]);
});

it("runs that nothing goes on from are no tree, nor is one whose parent was deleted", () => {
  const old = root("old", 1);
  expect(drawn([root("young", 2), old])).toEqual([]);
  expect(drawn([forkOf(old, 1, "fork")])).toEqual([]);
  expect(drawn([])).toEqual([]);
});
