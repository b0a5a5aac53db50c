import { expect, it } from "vitest";
import type { FlowState } from "../flow/sampler";
import { RunMemory } from "./memory";

/** A state of 100 numbers: 800 bytes. */
function state(step: number): FlowState {
  const z = new Float32Array(100).fill(step);
  return { step, batch: 1, t: step / 10, z, prediction: z, predictedAt: 0 };
}

it("forgets the runs used longest ago, and never takes more than it may", () => {
  const memory = new RunMemory(6 * 800);
  for (const key of ["a", "b"]) for (const step of [0, 1, 2]) memory.begin(key, []).add(state(step));
  expect(memory.bytes).toBe(6 * 800);
  memory.recall("a");
  memory.begin("c", []).add(state(0));
  expect(memory.recall("b")).toBeUndefined();
  expect(memory.recall("a")?.states.keptBefore(2)?.z[0]).toBe(2);
  expect(memory.recall("c")?.states.keptBefore(5)?.step).toBe(0);
  expect(memory.bytes).toBe(4 * 800);
});

it("keeps the run that grows, within its half", () => {
  const memory = new RunMemory(8 * 800);
  const run = memory.begin("a", []);
  for (let step = 0; step <= 100; step++) run.add(state(step));
  expect(memory.bytes).toBeLessThanOrEqual(4 * 800);
  expect(run.states.keptBefore(100)?.step).toBe(100);
});

it("takes a run that is written once more for the same", () => {
  const memory = new RunMemory();
  for (const step of [0, 1, 2]) memory.begin("a", []).add(state(step));
  for (const step of [0, 1, 2, 3]) memory.begin("a", []).add(state(step));
  expect(memory.bytes).toBe(4 * 800);
  memory.clear();
  expect(memory.bytes).toBe(0);
});
