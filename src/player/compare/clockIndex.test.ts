import { expect, it } from "vitest";
import { shownRunOf } from "../testing/runs";
import { indexAtSecond } from "./clockIndex";

const frames = (count: number) => Array.from({ length: count }, () => "▁the");

it("a run of ten steps in two seconds stands at each step for a fifth of a second", () => {
  const run = shownRunOf(frames(11));
  expect([0, 0.19, 0.2, 1, 1.99, 2, 9].map((elapsed) => indexAtSecond(run, elapsed, 2))).toEqual([
    0, 0, 1, 5, 9, 10, 10,
  ]);
});

it("a run that goes on from another's fourth step begins there", () => {
  const run = shownRunOf(frames(11));
  const { settings } = run.trajectory;
  const forked = { ...run, trajectory: { ...run.trajectory, from: { run: { settings }, step: 4 } } };
  expect([0, 1, 2].map((elapsed) => indexAtSecond(forked, elapsed, 2))).toEqual([4, 7, 10]);
});

it("a run stopped on the way stands at its last frame, and one that took no time at its end", () => {
  const run = shownRunOf(frames(11));
  const stopped = { ...run, trajectory: { ...run.trajectory, frames: run.trajectory.frames.slice(0, 4) } };
  expect(indexAtSecond(stopped, 2, 2)).toBe(3);
  expect(indexAtSecond(run, 0, 0)).toBe(10);
});
