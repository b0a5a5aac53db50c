import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { frameOf, runOf } from "../../testing/runs";
import { createRuns } from "../runs/runs";
import type { Run } from "../runs/shelfRun";
import { keepRunning } from "./keepRunning";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("keeps a run as stopped where it is, at its first frame and then now and then, until it has ended", () => {
  const runs = createRuns();
  const saved: Run[] = [];
  keepRunning(runs, async (run) => void saved.push(run));
  const { add, addFrames, change } = runs.getState();
  add(runOf(["▁sat ▁sat"], { id: "old" }));
  const begun = runOf([], { id: "run", status: "running", text: "" });
  add(begun);
  vi.runAllTimers();
  expect(saved).toEqual([]);

  addFrames("run", [frameOf(0, 8, "▁sat", "▁sat")]);
  vi.advanceTimersByTime(0);
  expect(saved.map(({ id, status, text }) => [id, status, text])).toEqual([["run", "cancelled", "sat sat"]]);

  for (let step = 1; step < 4; step++) addFrames("run", [frameOf(step, 8, "▁the", "▁cat")]);
  vi.advanceTimersByTime(900);
  expect(saved).toHaveLength(1);
  vi.advanceTimersByTime(100);
  expect(saved.at(-1)).toMatchObject({ status: "cancelled", text: "the cat" });
  expect(saved.at(-1)?.trajectory.frames).toHaveLength(4);
  expect(runs.getState().runs.find(({ id }) => id === "run")?.status).toBe("running");

  addFrames("run", [frameOf(4, 8, "▁the", "▁cat")]);
  change("run", { status: "done", text: "the cat." });
  vi.runAllTimers();
  expect(saved).toHaveLength(2);
});

it("keeps a fork once it has more than the frames of the run that it goes on from", () => {
  const runs = createRuns();
  const saved: Run[] = [];
  keepRunning(runs, async (run) => void saved.push(run));
  const parent = runOf(["▁sat ▁sat", "▁the ▁sat", "▁the ▁cat"]).trajectory;
  const fork = { ...parent, from: { run: parent, step: 2 }, frames: parent.frames.slice(0, 2) };
  runs.getState().add(runOf([], { id: "fork", status: "running", trajectory: fork }));
  vi.runAllTimers();
  expect(saved).toEqual([]);
  runs.getState().addFrames("fork", [frameOf(2, 8, "▁the", "▁cat")]);
  vi.runAllTimers();
  expect(saved.map(({ id, status }) => [id, status])).toEqual([["fork", "cancelled"]]);
});
