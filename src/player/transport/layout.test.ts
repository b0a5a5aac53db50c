import { describe, expect, it } from "vitest";
import { barHeight, nearestStep, stepForKey, trackPositions } from "./layout";

const times = [0, 0.1, 0.2, 1];

describe("the track", () => {
  it("lays steps out at their times, or evenly", () => {
    expect(trackPositions(times, "time")).toEqual([0, 10, 20, 100]);
    expect(trackPositions(times, "steps").map(Math.round)).toEqual([0, 33, 67, 100]);
  });

  it("draws a bar by the square root of what it counts, the fullest in full", () => {
    expect(barHeight(16, 16, 32)).toBe(32);
    expect(barHeight(4, 16, 32)).toBe(16);
    expect(barHeight(0, 0, 32)).toBe(0);
  });

  it("finds the step under a finger, among those there are", () => {
    const positions = trackPositions(times, "time");
    expect(nearestStep(positions, 14, 4)).toBe(1);
    expect(nearestStep(positions, 90, 4)).toBe(3);
    expect(nearestStep(positions, 90, 3)).toBe(2);
    expect(nearestStep(positions, -5, 4)).toBe(0);
  });

  it("moves by the keys of a slider, and no further than its ends", () => {
    expect(stepForKey("ArrowRight", 3, 32)).toBe(4);
    expect(stepForKey("ArrowDown", 0, 32)).toBe(0);
    expect(stepForKey("PageUp", 31, 32)).toBe(32);
    expect(stepForKey("PageUp", 0, 4)).toBe(1);
    expect(stepForKey("Home", 9, 32)).toBe(0);
    expect(stepForKey("End", 9, 32)).toBe(32);
    expect(stepForKey("a", 9, 32)).toBeUndefined();
  });
});
