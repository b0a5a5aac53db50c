import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { scheduleTimes } from "./schedule";

const constants = { pMean: -1.5, pStd: 0.8 };
const drawn = { steps: 32, schedule: "logit_normal", seed: 7, rng: "original" } as const;

describe("scheduleTimes", () => {
  it("spaces uniform times evenly", () => {
    expect(Array.from(scheduleTimes({ ...drawn, steps: 4, schedule: "uniform" }, constants))).toEqual([
      0, 0.25, 0.5, 0.75, 1,
    ]);
  });

  it.each([
    "original",
    "partitionable",
  ] as const)("draws ascending logit-normal times from the seed, %s bits", (rng) => {
    const times = scheduleTimes({ ...drawn, rng }, constants);
    expect(times).toHaveLength(33);
    expect(times[0]).toBe(0);
    expect(times[32]).toBe(1);
    expect(times.every((t, k) => k === 0 || t >= (times[k - 1] as number))).toBe(true);
    expect(scheduleTimes({ ...drawn, rng }, constants)).toEqual(times);
    expect(scheduleTimes({ ...drawn, rng, seed: 8 }, constants)).not.toEqual(times);
  });

  it("takes the quantiles that the reference sampler takes", () => {
    const { flow, quantileTimes } = JSON.parse(readFileSync("test/fixtures/flow.json", "utf8")) as {
      flow: { pMean: number; pStd: number };
      quantileTimes: number[][];
    };
    for (const expected of quantileTimes) {
      const times = scheduleTimes({ ...drawn, steps: expected.length - 1, schedule: "quantile" }, flow);
      expect(times).toHaveLength(expected.length);
      for (const [k, t] of times.entries()) expect(t).toBeCloseTo(expected[k] as number, 6);
    }
    // The middle one of an odd number is the median, sigmoid(pMean); seeds change nothing.
    const times = scheduleTimes({ ...drawn, steps: 4, schedule: "quantile" }, constants);
    expect(times[2]).toBeCloseTo(1 / (1 + Math.exp(1.5)), 6);
    expect(scheduleTimes({ ...drawn, steps: 4, schedule: "quantile", seed: 8 }, constants)).toEqual(times);
  });

  it("has the drawn times' median at sigmoid(pMean)", () => {
    const times = scheduleTimes({ ...drawn, steps: 1024 }, constants);
    expect(times[512]).toBeCloseTo(1 / (1 + Math.exp(1.5)), 1);
  });

  it("has no inner times for a single step", () => {
    expect(Array.from(scheduleTimes({ ...drawn, steps: 1 }, constants))).toEqual([0, 1]);
  });
});
