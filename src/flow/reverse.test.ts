import { describe, expect, it } from "vitest";
import type { Network } from "./network";
import { reverse } from "./reverse";
import type { SamplerSettings } from "./settings";
import { RUN_SETTINGS } from "./testing/settings";

const constants = { noiseScale: 1, tEps: 0.05, pMean: -1.5, pStd: 0.8, selfCondStart: "condition" } as const;
const settings: SamplerSettings = {
  ...RUN_SETTINGS,
  steps: 64,
  gamma: 1,
  selfCondScale: 1,
  schedule: "quantile",
  seed: 1,
  length: 2,
};

/** Knows two texts, 1 and −1, and predicts the one the state leans to: softly far from the end, surely near it. */
const twoTexts: Network = {
  latentSize: 1,
  takesSelfCondScale: true,
  denoise: async ({ z, t }) => z.map((x) => Math.tanh((4 * t * x) / (1 - t + 0.01))),
  decode: async () => [],
};

const clean = Float32Array.of(1, -1);

describe("reverse", () => {
  it("finds noise from which the text comes back", async () => {
    const { start, end, error } = await reverse(twoTexts, clean, settings, constants);
    expect(start).toMatchObject({ step: 0, t: 0 });
    expect(Array.from(start.prediction)).toEqual([0, 0]);
    // The network is odd, so the two run as mirror images.
    expect(start.z[0]).toBeCloseTo(-(start.z[1] as number), 5);
    expect(end).toMatchObject({ step: 64, t: 1 });
    expect(error).toBeLessThan(1e-3);
  });

  it("takes the quantile schedule where none is given", async () => {
    const { schedule: _, ...unscheduled } = settings;
    const { start } = await reverse(twoTexts, clean, unscheduled, constants);
    expect(start.z).toEqual((await reverse(twoTexts, clean, settings, constants)).start.z);
    const uniform = { ...settings, schedule: "uniform" } as const;
    expect(start.z).not.toEqual((await reverse(twoTexts, clean, uniform, constants)).start.z);
  });

  it("goes back against the velocity, by hand-worked numbers", async () => {
    // x̂ = 3 everywhere: z at t is z₀ + 3t − t·z₀. Back from 1 at the last inner time t: z₀ = (1 − 3t)/(1 − t).
    const constant: Network = { ...twoTexts, denoise: async ({ z }) => z.map(() => 3) };
    const uniform = { ...settings, schedule: "uniform", length: 1 } as const;
    const { start } = await reverse(constant, Float32Array.of(1), { ...uniform, steps: 4 }, constants);
    expect(start.z[0]).toBeCloseTo((1 - 3 * 0.75) / 0.25, 5);
    const { error } = await reverse(constant, Float32Array.of(3), { ...uniform, steps: 4 }, constants);
    expect(error).toBe(0);
  });

  it("reports what does not come back", async () => {
    const constant: Network = { ...twoTexts, denoise: async ({ z }) => z.map(() => 3) };
    const { error } = await reverse(constant, Float32Array.of(1, 1), settings, constants);
    // It lands on 3, and ‖3 − 1‖ / ‖1‖ = 2.
    expect(error).toBeCloseTo(2, 5);
  });

  it("goes forward with the prediction that the model starts with", async () => {
    const condition = { latents: Float32Array.of(1, 0), lengths: [1], latentSize: 1 };
    const starts = async (selfCondStart: "condition" | "zero") =>
      Array.from(
        (await reverse(twoTexts, clean, settings, { ...constants, selfCondStart }, { condition })).start.prediction,
      );
    expect(await starts("condition")).toEqual([1, 0]);
    expect(await starts("zero")).toEqual([0, 0]);
  });

  it("stops when aborted", async () => {
    const options = { signal: AbortSignal.abort() };
    await expect(reverse(twoTexts, clean, settings, constants, options)).rejects.toThrow("Cancelled");
  });
});
