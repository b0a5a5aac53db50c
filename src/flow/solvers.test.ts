import { describe, expect, it } from "vitest";
import { eulerStep, keptShare, type Place, SOLVERS, stepBack } from "./solvers";

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

/** The number e, predicted as any function of state and time; nothing is held. */
function parts(predict: (z: number, t: number) => number) {
  return {
    predict: async (z: Float32Array, _: Float32Array, t: number) => z.map((value) => predict(value, t)),
    restore: (z: Float32Array) => z,
    tEps: 0.05,
  };
}

function place(t: number, z: number, prediction = 0, predictedAt = 0): Place {
  return { t, z: Float32Array.of(z), prediction: Float32Array.of(prediction), predictedAt };
}

describe("heun", () => {
  it("goes by the mean of both velocities", async () => {
    // x̂ = t: at t = 0 v = −1, so z* = 1 − ½ = ½; there x̂ = ½ and v = 0; the mean is −½.
    const there = await SOLVERS.heun(
      place(0, 1),
      0.5,
      parts((_, t) => t),
    );
    expect(there).toEqual({ t: 0.5, z: Float32Array.of(0.75), prediction: Float32Array.of(0.5), predictedAt: 0.5 });
  });

  it("ends as Euler does", async () => {
    const end = await SOLVERS.heun(
      place(0.5, 1),
      1,
      parts(() => 3),
    );
    expect(end).toEqual(
      await SOLVERS.euler(
        place(0.5, 1),
        1,
        parts(() => 3),
      ),
    );
  });
});

describe("multistep", () => {
  it("carries the prediction on in the logarithm of signal to noise", async () => {
    // λ of 0.2, 0.5 and 0.8 are −ln 4, 0 and ln 4: r = ½, so x̂ = 3 after 1 aims at 4.
    const there = await SOLVERS.multistep(
      place(0.5, 2, 1, 0.2),
      0.8,
      parts(() => 3),
    );
    // v = (4 − 2) / 0.5 over h = 0.3.
    expect(there.z[0]).toBeCloseTo(3.2, 6);
    expect(there.prediction).toEqual(Float32Array.of(3));
  });

  it.each([
    ["its first step", place(0, 2), 0.5],
    ["its second, which starts from an infinite λ", place(0.25, 2, 1, 0), 0.5],
    ["its last", place(0.5, 2, 1, 0.25), 1],
  ])("is Euler at %s", async (_, from, next) => {
    expect(
      await SOLVERS.multistep(
        from,
        next,
        parts(() => 3),
      ),
    ).toEqual(
      await SOLVERS.euler(
        from,
        next,
        parts(() => 3),
      ),
    );
  });
});

describe("the solvers of second order", () => {
  /** x̂ = cos t · z: a smooth field that no solver follows exactly. Distance at t = 0.8 to Euler's way in 2¹⁴ steps. */
  async function error(name: "euler" | "heun" | "multistep", steps: number): Promise<number> {
    const end = async (solver: keyof typeof SOLVERS, count: number) => {
      let from = place(0, 1);
      for (let k = 1; k <= count; k++) {
        from = await SOLVERS[solver](
          from,
          Math.fround((0.8 * k) / count),
          parts((z, t) => Math.cos(3 * t) * z),
        );
      }
      return from.z[0] as number;
    };
    return Math.abs((await end(name, steps)) - (await end("heun", 512)));
  }

  it("halve a quarter of their error, or more, with half the step", async () => {
    expect((await error("euler", 16)) / (await error("euler", 32))).toBeLessThan(2.5);
    for (const name of ["heun", "multistep"] as const) {
      expect(await error(name, 32)).toBeLessThan(0.4 * (await error(name, 16)));
      expect(await error(name, 32)).toBeLessThan(0.3 * (await error("euler", 32)));
    }
  });
});
