import { expect, it } from "vitest";
import { runOf } from "../../testing/runs";
import { familiesOf, isBegun, parentOf, runOfRecipe } from "./family";
import type { Run } from "./shelfRun";

const frames = ["▁the", "▁cat", "▁sat"];
const parent = runOf(frames, { id: "parent" });
const other = runOf(["▁the", "▁cat"], { id: "other" });
const forkOf = (run: Run, step: number, id: string): Run => {
  const { settings, held, from } = run.trajectory;
  const branch = { run: { settings, held, from }, step };
  return runOf(frames, { id, trajectory: { ...run.trajectory, from: branch } });
};

it("runs know their parents and forks by what they were written from", () => {
  const fork = forkOf(parent, 1, "fork");
  const twice = forkOf(fork, 1, "twice");
  const shelf = [twice, fork, other, parent];
  expect(parentOf(fork, shelf)?.id).toBe("parent");
  expect(parentOf(twice, shelf)?.id).toBe("fork");
  expect(parentOf(parent, shelf)).toBeUndefined();
  expect(parentOf(fork, [fork, other])).toBeUndefined();
  const families = familiesOf(shelf);
  expect(families.get(parent)).toEqual({ forks: [fork] });
  expect(families.get(fork)).toEqual({ parent, forks: [twice] });
  expect(families.get(twice)).toEqual({ parent: fork, forks: [] });
  expect(families.get(other)).toBeUndefined();
});

it("a run that another version kept, without what makes it one, is nobody's family", () => {
  const broken = { ...parent, id: "broken", trajectory: {} } as Run;
  const fork = forkOf(parent, 1, "fork");
  expect([...familiesOf([fork, broken, parent]).keys()].map(({ id }) => id)).toEqual(["fork", "parent"]);
  expect(parentOf(fork, [broken, parent])).toBe(parent);
});

it("the runs of two models are no family", () => {
  const fork = forkOf(parent, 1, "fork");
  const stranger = { ...parent, trajectory: { ...parent.trajectory, model: "another" } };
  expect(parentOf(fork, [stranger])).toBeUndefined();
});

it("a recipe that has been written is found, whole runs only", () => {
  const { settings } = parent.trajectory;
  expect(runOfRecipe({ settings }, "test", [other, parent])?.id).toBe("parent");
  expect(runOfRecipe({ settings }, "another", [parent])).toBeUndefined();
  expect(runOfRecipe({ settings }, "test", [{ ...parent, status: "cancelled" }])).toBeUndefined();
});

it("a recipe is begun as soon as there is a run of it, whole or not", () => {
  const { settings } = parent.trajectory;
  expect(isBegun({ settings }, "test", [{ ...parent, status: "cancelled" }])).toBe(true);
  expect(isBegun({ settings }, "another", [parent])).toBe(false);
  expect(isBegun({ settings }, "test", [other])).toBe(false);
});
