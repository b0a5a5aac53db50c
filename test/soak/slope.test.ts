import { describe, expect, it } from "vitest";
import { grows, slopeOf } from "./slope";

describe("slopeOf", () => {
  it("is that of a line, and sure of it", () => {
    const { mean, perRound, interval } = slopeOf([10, 12, 14, 16, 18]);
    expect([mean, perRound]).toEqual([14, 2]);
    expect(interval[1] - interval[0]).toBeCloseTo(0, 9);
  });

  it("has the interval of the textbook", () => {
    // y = 2.2, 3.9, 6.1, 8.0, 9.8 at x = 0 … 4: slope 1.93, residuals 0.06, −0.17, 0.1, 0.07, −0.06 about 2.14 + 1.93x; s² = 0.051 / 3.
    const { perRound, interval } = slopeOf([2.2, 3.9, 6.1, 8.0, 9.8]);
    expect(perRound).toBeCloseTo(1.93, 9);
    expect((interval[1] - interval[0]) / 2).toBeCloseTo(3.182 * Math.sqrt(0.051 / 3 / 10), 3);
  });

  it("of many counts is held by t's own quantile", () => {
    // 40 degrees of freedom: 2.021.
    const counts = Array.from({ length: 42 }, (_, i) => (i % 2 === 0 ? 1 : -1));
    const { perRound, interval } = slopeOf(counts);
    const across = 42 * ((42 ** 2 - 1) / 12);
    const rest = counts.reduce((sum, count, i) => sum + (count - perRound * (i - 20.5)) ** 2, 0);
    expect((interval[1] - interval[0]) / 2).toBeCloseTo(2.021 * Math.sqrt(rest / 40 / across), 4);
  });

  it("takes three counts", () => {
    expect(() => slopeOf([1, 2])).toThrow(RangeError);
  });
});

describe("grows", () => {
  it("of what rises steadily, not of what wavers, falls, or rises by next to nothing", () => {
    const rounds = Array.from({ length: 30 }, (_, i) => i);
    const waver = rounds.map((i) => 100 + 5 * Math.sin(7 * i));
    const grown = (counts: readonly number[]) => grows(slopeOf(counts), counts.length, 0.02);
    expect(grown(waver.map((count, i) => count + i))).toBe(true);
    expect(grown(waver)).toBe(false);
    expect(grown(waver.map((count, i) => count - i))).toBe(false);
    expect(grown(rounds.map((i) => 100 + i / 100))).toBe(false);
  });
});
