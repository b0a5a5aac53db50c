import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Frame } from "../../../flow/trajectory";
import { frameOf } from "../../testing/runs";
import { createFrameBuffer } from "./frameBuffer";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("hands the first frame on at once and the rest in batches, none lost, all in order", () => {
  const batches: number[][] = [];
  const buffer = createFrameBuffer((frames: readonly Frame[]) => batches.push(frames.map(({ step }) => step)), 40);
  for (let step = 0; step < 4; step++) buffer.push(frameOf(step, 9, "▁the"));
  expect(batches).toEqual([[0]]);
  vi.advanceTimersByTime(40);
  expect(batches).toEqual([[0], [1, 2, 3]]);
  buffer.push(frameOf(4, 9, "▁the"));
  buffer.push(frameOf(5, 9, "▁the"));
  buffer.flush();
  expect(batches.flat()).toEqual([0, 1, 2, 3, 4, 5]);
  vi.runAllTimers();
  expect(batches.flat()).toHaveLength(6);
});
