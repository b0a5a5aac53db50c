import { describe, expect, it } from "vitest";
import { eulerStep, keptShare, type Place, ratio, SOLVERS, stepBack } from "./solvers";

describe("a step", () => {
  it("keeps α = clip(1 − γ·h, 0, 1) of the state", () => {
    expect(keptShare(2, 0.25, 0.5)).toBe(0.5);
    expect(keptShare(8, 0, 0.5)).toBe(0);
    expect(keptShare(0, 0, 0.5)).toBe(1);
  });

  it("mixes noise in by hand-worked numbers", () => {
    expect(Array.from(stepBack(Float32Array.of(4, -2), Float32Array.of(8, 6), 0.75))).toEqual([5, 0]);
  });

  it("follows the velocity by hand-worked numbers, its divisor bounded by tEps", () => {
    // v = (3 − 1) / (1 − 0.5) = 4, over h = 0.25.
    expect(Array.from(eulerStep(Float32Array.of(1), Float32Array.of(3), 0.5, 0.75, 0.05))).toEqual([2]);
    // 1 − t = 1/64 is below tEps = 1/16: v = 2 · 16, over h = 1/64.
    expect(Array.from(eulerStep(Float32Array.of(1), Float32Array.of(3), 63 / 64, 1, 1 / 16))).toEqual([1.5]);
  });
});

/** What the network is asked, and any function of that for an answer; nothing is held. */
function parts(predict: (z: number, previous: number, t: number) => number) {
  const asked: { previous: number; t: number }[] = [];
  return {
    asked,
    predict: async (z: Float32Array, previous: Float32Array, t: number) => {
      asked.push({ previous: previous[0] as number, t });
      return z.map((value, i) => predict(value, previous[i] as number, t));
    },
    restore: (z: Float32Array) => z,
    tEps: 0.05,
  };
}

const one = (x: number) => Float32Array.of(x);

describe("multistep", () => {
  /** At ½, having predicted 1 at ¼ and ½ at 0. */
  const middle: Place = {
    t: 0.5,
    z: one(2),
    prediction: one(1),
    predictedAt: 0.25,
    older: { prediction: one(0.5), predictedAt: 0 },
  };

  it("carries on both what the network is fed and what it answers", async () => {
    const watched = parts(() => 3);
    const there = await SOLVERS.multistep(middle, 0.625, watched);
    // ½ → 1 in a quarter, so 1.5 a quarter later.
    expect(watched.asked).toEqual([{ previous: 1.5, t: 0.5 }]);
    // 1 → 3 in a quarter, so 3.5 at the middle of the step; v = (3.5 − 2) / ½ over ⅛.
    expect(there).toEqual({
      t: 0.625,
      z: one(2.375),
      prediction: one(3),
      predictedAt: 0.5,
      older: { prediction: one(1), predictedAt: 0.25 },
    });
  });

  it("carries on by the ratio of the steps, twice the last change at most", () => {
    expect(ratio(0.25, 0.5)).toBe(0.5);
    expect(ratio(0.5, 0.001)).toBe(2);
    expect(ratio(0.5, 0)).toBe(0);
    expect(ratio(0.5, -0.1)).toBe(0);
  });

  it("is Euler at its first step, whose zeros it forgets, and at the last one but for what it feeds", async () => {
    const start: Place = { t: 0, z: one(2), prediction: one(0), predictedAt: 0 };
    const second = await SOLVERS.multistep(
      start,
      0.5,
      parts(() => 3),
    );
    expect(second).toEqual(
      await SOLVERS.euler(
        start,
        0.5,
        parts(() => 3),
      ),
    );
    expect(second.older).toBeUndefined();
    const end = await SOLVERS.multistep(
      middle,
      1,
      parts(() => 3),
    );
    expect(end.z).toEqual(
      (
        await SOLVERS.euler(
          middle,
          1,
          parts(() => 3),
        )
      ).z,
    );
  });

  it("loses more of its error than Euler does with half the step", async () => {
    /** A smooth field that depends on the last prediction too. */
    const end = async (solver: keyof typeof SOLVERS, count: number) => {
      let from: Place = { t: 0, z: one(1), prediction: one(0), predictedAt: 0 };
      const field = parts((z, previous, t) => Math.cos(3 * t) * z + 0.3 * previous);
      for (let k = 1; k <= count; k++) from = await SOLVERS[solver](from, Math.fround((0.8 * k) / count), field);
      return from.z[0] as number;
    };
    const exact = await end("multistep", 2048);
    const error = async (solver: keyof typeof SOLVERS, count: number) => Math.abs((await end(solver, count)) - exact);
    expect(await error("multistep", 32)).toBeLessThan(0.4 * (await error("multistep", 16)));
    expect(await error("multistep", 32)).toBeLessThan(await error("euler", 32));
  });
});
