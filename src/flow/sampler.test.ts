import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CancelledError } from "./errors";
import type { DenoiseInput, Network, Reading } from "./network";
import { eulerStep, type FlowState, flow, keptShare, stepBack } from "./sampler";
import type { SamplerSettings } from "./settings";
import { readFrame } from "./trajectory";

const constants = { noiseScale: 2, tEps: 0.05, pMean: -1.5, pStd: 0.8 };
const settings: SamplerSettings = {
  steps: 8,
  method: "sde",
  gamma: 1.5,
  selfCondScale: 3,
  schedule: "logit_normal",
  rng: "original",
  seed: 7,
  length: 5,
};

/** Any smooth function of all inputs will do. Remembers what it was asked. */
class ToyNetwork implements Network {
  readonly latentSize = 4;
  readonly asked: DenoiseInput[] = [];
  decoded = 0;

  async denoise(input: DenoiseInput): Promise<Float32Array> {
    this.asked.push(input);
    const { z, previous, t, selfCondScale } = input;
    return z.map((value, i) => Math.tanh(0.7 * value + 0.2 * (previous[i] as number) + t - 0.1 * selfCondScale));
  }

  async decode(latents: readonly Float32Array[]): Promise<Reading[]> {
    this.decoded += latents.length;
    return latents.map((latent) => ({
      tokens: Int32Array.of(Math.round(100 * (latent[0] as number))),
      entropy: Float32Array.of(0),
      topTokens: Int32Array.of(0),
      topProbabilities: Float32Array.of(1),
    }));
  }
}

async function statesOf(changes: Partial<SamplerSettings> = {}, network = new ToyNetwork()): Promise<FlowState[]> {
  const states: FlowState[] = [];
  for await (const state of flow(network, { ...settings, ...changes }, constants)) states.push(state);
  return states;
}

describe("flow", () => {
  it("yields N + 1 states from t = 0 to t = 1, one pass each after the first", async () => {
    const network = new ToyNetwork();
    const states = await statesOf({}, network);
    expect(states.map((state) => state.step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(states[0]?.t).toBe(0);
    expect(states[8]?.t).toBe(1);
    expect(network.asked).toHaveLength(8);
  });

  it("starts from noise of the model's scale with nothing predicted, then feeds each prediction back", async () => {
    const network = new ToyNetwork();
    const states = await statesOf({ length: 500 }, network);
    const z0 = states[0]?.z as Float32Array;
    const deviation = Math.sqrt(z0.reduce((sum, x) => sum + x * x, 0) / z0.length);
    expect(deviation).toBeGreaterThan(1.9);
    expect(deviation).toBeLessThan(2.1);
    expect(network.asked[0]?.previous.every((x) => x === 0)).toBe(true);
    for (let k = 1; k < 8; k++) expect(network.asked[k]?.previous).toBe(states[k]?.prediction);
  });

  it("is the ODE, bit for bit, when the SDE's gamma is 0", async () => {
    expect(await statesOf({ method: "sde", gamma: 0 })).toEqual(await statesOf({ method: "ode" }));
  });

  it("goes back in time before every SDE step but the last", async () => {
    const network = new ToyNetwork();
    const states = await statesOf({ schedule: "uniform", gamma: 2 }, network);
    // h = 1/8, so α = 1 − 2/8 = 0.75.
    expect(network.asked.slice(0, 7).map(({ t }) => t)).toEqual([0, 1, 2, 3, 4, 5, 6].map((k) => 0.75 * (k / 8)));
    expect(network.asked[7]?.t).toBe(7 / 8);
    expect(network.asked[7]?.z).toBe(states[7]?.z);
  });

  it("lands on the last prediction", async () => {
    const last = (await statesOf({ schedule: "uniform" }))[8] as FlowState;
    for (const [i, value] of last.z.entries()) expect(value).toBeCloseTo(last.prediction[i] as number, 6);
  });

  it("repeats itself for a seed, and differs for another seed or layout of bits", async () => {
    const states = await statesOf();
    expect(await statesOf()).toEqual(states);
    expect((await statesOf({ seed: 8 }))[8]?.z).not.toEqual(states[8]?.z);
    expect((await statesOf({ rng: "partitionable" }))[0]?.z).not.toEqual(states[0]?.z);
  });

  it("stops before the next pass when aborted", async () => {
    const network = new ToyNetwork();
    const abort = new AbortController();
    const run = async () => {
      for await (const { step } of flow(network, settings, constants, abort.signal)) if (step === 3) abort.abort();
    };
    await expect(run()).rejects.toThrow(CancelledError);
    expect(network.asked).toHaveLength(3);
  });
});

/** Whole runs of a one-line network by the Python sampler: `elf fixtures` wrote them. */
const fixture = JSON.parse(readFileSync("test/fixtures/flow.json", "utf8")) as {
  shape: [1, number, number];
  flow: { noiseScale: number; tEps: number; pMean: number; pStd: number };
  runs: { settings: SamplerSettings; t: number[]; z: number[][]; xHat: number[][] }[];
};

describe("flow, beside the reference sampler", () => {
  const f32 = Math.fround;
  const network = {
    latentSize: fixture.shape[2],
    denoise: async ({ z, previous, t, selfCondScale }: DenoiseInput) => {
      const number = f32(f32(f32(0.1) * t) + f32(f32(0.01) * selfCondScale));
      return z.map((x, i) => f32(f32(f32(0.6) * x) + f32(f32(0.3) * (previous[i] as number))) + number);
    },
    decode: async () => [],
  };

  it.each(fixture.runs)("takes the same way: $settings", async (expected) => {
    const states: FlowState[] = [];
    for await (const state of flow(network, expected.settings, fixture.flow)) states.push(state);
    expect(states).toHaveLength(expected.t.length);
    expectClose(
      states.map((state) => state.t),
      expected.t,
    );
    for (const [k, { z, prediction }] of states.entries()) {
      expectClose(z, expected.z[k] as number[]);
      if (k > 0) expectClose(prediction, expected.xHat[k - 1] as number[]);
    }
  });
});

/** Equal to a few last places of a float; the numbers are of order 1. */
function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (actual[i] as number))), 0);
  expect(worst).toBeLessThan(4e-6);
}

describe("one step", () => {
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

describe("readFrame", () => {
  it("reads state and prediction in one batch, and at the start only the state", async () => {
    const network = new ToyNetwork();
    const [start, next] = await statesOf({}, network);
    const first = await readFrame(network, start as FlowState, 3);
    expect(network.decoded).toBe(1);
    expect(first.expects).toBe(first.holds);
    const second = await readFrame(network, next as FlowState, 3);
    expect(network.decoded).toBe(3);
    expect(second.expects.tokens).not.toEqual(second.holds.tokens);
  });
});
