import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Condition, SelfCondStart } from "./condition";
import { CancelledError } from "./errors";
import type { DenoiseInput, Network } from "./network";
import { type FlowState, flow } from "./sampler";
import type { SamplerSettings } from "./settings";
import { RUN_SETTINGS as settings } from "./testing/settings";
import { ToyNetwork } from "./testing/toyNetwork";
import { readFrame } from "./trajectory";

const constants = { noiseScale: 2, tEps: 0.05, pMean: -1.5, pStd: 0.8, selfCondStart: "condition" } as const;

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

  it("tells the network before the first pass at which times it will ask, and asks at no other", async () => {
    for (const changes of [{ gamma: 4 }, { method: "ode" }, { steps: 1 }] as const) {
      const network = new ToyNetwork();
      await statesOf(changes, network);
      expect(network.announced).toEqual([{ times: network.asked.map(({ t }) => t), selfCondScale: 3 }]);
    }
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
      for await (const { step } of flow(network, settings, constants, { signal: abort.signal }))
        if (step === 3) abort.abort();
    };
    await expect(run()).rejects.toThrow(CancelledError);
    expect(network.asked).toHaveLength(3);
  });
});

interface ExpectedRun {
  settings: SamplerSettings;
  t: number[];
  z: number[][];
  xHat: number[][];
}

/** Whole runs of networks of one line by the Python sampler: `elf fixtures` wrote them. */
const fixture = JSON.parse(readFileSync("test/fixtures/flow.json", "utf8")) as {
  shape: [1, number, number];
  flow: { noiseScale: number; tEps: number; pMean: number; pStd: number };
  runs: ExpectedRun[];
  batches: {
    length: number;
    width: number;
    condition: { lengths: number[]; latents: number[][] };
    runs: (ExpectedRun & {
      batch: number;
      conditional: boolean;
      takesSelfCondScale: boolean;
      selfCondStart: SelfCondStart;
      calls: number;
    })[];
  };
};

const f32 = Math.fround;

describe("flow, beside the reference sampler", () => {
  const network: Network = {
    latentSize: fixture.shape[2],
    takesSelfCondScale: true,
    denoise: async ({ z, previous, t, selfCondScale }) => {
      const number = f32(f32(f32(0.1) * t) + f32(f32(0.01) * selfCondScale));
      return z.map((x, i) => f32(f32(f32(0.6) * x) + f32(f32(0.3) * (previous[i] as number))) + number);
    },
    decode: async () => [],
  };

  it.each(fixture.runs)("takes the same way: $settings", async (expected) => {
    const states: FlowState[] = [];
    for await (const state of flow(network, expected.settings, { ...fixture.flow, selfCondStart: "condition" })) {
      states.push(state);
    }
    expectStates(states.slice(1), { ...expected, t: expected.t.slice(1), z: expected.z.slice(1) });
    expectClose(states[0]?.z as Float32Array, expected.z[0] as number[]);
  });
});

describe("flow of a batch, beside the reference sampler", () => {
  const { length, width, condition: given, runs } = fixture.batches;

  /** Each position sees the one before it in its sample; the first sees the last. */
  class NeighbourNetwork implements Network {
    readonly latentSize = width;
    passes = 0;

    constructor(readonly takesSelfCondScale: boolean) {}

    async denoise({ z, previous, batch, t, selfCondScale }: DenoiseInput): Promise<Float32Array> {
      this.passes += batch;
      const number = f32(f32(f32(0.1) * t) + f32(f32(0.01) * (this.takesSelfCondScale ? selfCondScale : 0)));
      return z.map((x, i) => {
        const row = length * width * Math.floor(i / (length * width));
        const before = row + ((i - row - width + length * width) % (length * width));
        const own = f32(f32(f32(0.5) * x) + f32(f32(0.2) * (previous[i] as number)));
        const other = f32(f32(f32(0.2) * (z[before] as number)) + f32(f32(0.1) * (previous[before] as number)));
        return f32(f32(own + other) + number);
      });
    }

    async decode() {
      return [];
    }
  }

  const title = "takes the same way: $batch, $conditional, $takesSelfCondScale, $selfCondStart, $settings";
  it.each(runs)(title, async (expected) => {
    const { batch, conditional, takesSelfCondScale, selfCondStart, calls } = expected;
    const condition: Condition = {
      latents: Float32Array.from(given.latents.slice(0, batch).flat()),
      lengths: given.lengths.slice(0, batch),
      latentSize: width,
    };
    const network = new NeighbourNetwork(takesSelfCondScale);
    const options = { batch, ...(conditional ? { condition } : {}) };
    const states: FlowState[] = [];
    for await (const state of flow(network, expected.settings, { ...fixture.flow, selfCondStart }, options)) {
      states.push(state);
    }
    expectStates(states, expected);
    expect(network.passes).toBe(calls * batch);
  });
});

function expectStates(states: readonly FlowState[], { t, z, xHat }: Pick<ExpectedRun, "t" | "z" | "xHat">): void {
  expect(states).toHaveLength(t.length);
  expectClose(
    states.map((state) => state.t),
    t,
  );
  for (const [k, state] of states.entries()) {
    expectClose(state.z, z[k] as number[]);
    expectClose(state.prediction, xHat[k] as number[]);
  }
}

/** Equal to a few last places of a float; the numbers are of order 1. */
function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (actual[i] as number))), 0);
  expect(worst).toBeLessThan(4e-6);
}

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
