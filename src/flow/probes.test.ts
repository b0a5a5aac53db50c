import { describe, expect, it } from "vitest";
import { modelBasis, principalBasis, project } from "./latentBasis";
import type { Reading } from "./network";
import { distances, margins } from "./probes";
import { normal } from "./random";
import type { FlowState } from "./sampler";
import { ToyNetwork } from "./testing/toyNetwork";
import { readFrames } from "./trajectory";

function reading(...tokens: number[]): Reading {
  return {
    tokens: Int32Array.from(tokens),
    entropy: new Float32Array(tokens.length),
    topTokens: Int32Array.from(tokens.flatMap((token) => [token, 0])),
    topProbabilities: Float32Array.from(tokens.flatMap(() => [0.75, 0.125])),
  };
}

describe("probes", () => {
  it("tells by how much a token leads", () => {
    expect(Array.from(margins(reading(5, 6)))).toEqual([0.625, 0.625]);
    // A vocabulary of one.
    expect(Array.from(margins({ ...reading(5), topProbabilities: Float32Array.of(1) }))).toEqual([1]);
  });

  it("tells how far each position is from its end", () => {
    const far = distances(Float32Array.of(3, 4, 1, 1), Float32Array.of(0, 0, 1, 1), 2);
    expect(Array.from(far)).toEqual([Math.fround(Math.sqrt(12.5)), 0]);
  });
});

describe("readFrames", () => {
  it("reads one sample of several states in one pass", async () => {
    const network = new ToyNetwork();
    let passes = 0;
    const decode = (latents: readonly Float32Array[]) => {
      passes++;
      return network.decode(latents);
    };
    const state = (step: number, ...values: number[]): FlowState => ({
      step,
      batch: 2,
      t: step / 2,
      z: Float32Array.from(values.flatMap((value) => [value, 0, 0, 0])),
      prediction: Float32Array.from(values.flatMap((value) => [10 * value, 0, 0, 0])),
      predictedAt: 0,
    });
    const states = [state(0, 1, 2), state(1, 3, 4), state(2, 5, 6)];
    const frames = await readFrames(
      { ...network, takesSelfCondScale: true, denoise: network.denoise, decode },
      states,
      1,
      1,
    );
    expect(passes).toBe(1);
    expect(frames.map(({ holds }) => holds.tokens[0])).toEqual([200, 400, 600]);
    expect(frames.map(({ expects }) => expects.tokens[0])).toEqual([200, 4000, 6000]);
    expect(await readFrames(network, [], 1)).toEqual([]);
  });
});

describe("a latent basis", () => {
  it("finds the directions in which latents spread, the widest first", () => {
    // Spread 3 along (0.6, 0.8, 0), 1 along (−0.8, 0.6, 0), 0.1 along the third axis, around (5, 5, 5).
    const draws = normal([0, 1], 6000, "original");
    const latents = new Float32Array(6000);
    for (let row = 0; row < 6000; row += 3) {
      const [a, b, c] = [3 * (draws[row] as number), draws[row + 1] as number, 0.1 * (draws[row + 2] as number)];
      latents.set([5 + 0.6 * a - 0.8 * b, 5 + 0.8 * a + 0.6 * b, 5 + c], row);
    }
    const basis = principalBasis(latents, 3, 2);
    const [first, second] = basis.directions as [Float32Array, Float32Array];
    expect(basis.directions).toHaveLength(2);
    expect(Math.abs(0.6 * (first[0] as number) + 0.8 * (first[1] as number))).toBeCloseTo(1, 2);
    expect(Math.abs(-0.8 * (second[0] as number) + 0.6 * (second[1] as number))).toBeCloseTo(1, 2);
    expect(basis.mean[2]).toBeCloseTo(5, 1);

    const [x = 0, y = 0] = project(Float32Array.of(5.6, 5.8, 9), { ...basis, mean: Float32Array.of(5, 5, 5) });
    expect(Math.abs(x)).toBeCloseTo(1, 1);
    expect(Math.abs(y)).toBeCloseTo(0, 1);
  });

  it("is finite where latents do not spread in so many directions", () => {
    const { directions } = principalBasis(Float32Array.of(1, 0, 3, 0), 2, 2);
    expect(directions.flatMap((direction) => Array.from(direction)).every(Number.isFinite)).toBe(true);
  });

  it("is the same for a model whenever it is asked for", async () => {
    const defaults = { method: "sde", gamma: 1, selfCondScale: 1, cfgScale: 1, schedule: "uniform" } as const;
    const settings = { ...defaults, steps: 32, solver: "euler", rng: "original", seed: 5, length: 3 } as const;
    const constants = { noiseScale: 2, tEps: 0.05, pMean: -1.5, pStd: 0.8, selfCondStart: "condition" } as const;
    const basis = await modelBasis(new ToyNetwork(), settings, constants);
    expect(basis.directions).toHaveLength(3);
    expect(await modelBasis(new ToyNetwork(), { ...settings, seed: 6, steps: 4 }, constants)).toEqual(basis);
  });
});
