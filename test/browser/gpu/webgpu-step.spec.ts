import { expect, type Page } from "@playwright/test";
import { makeClamp } from "../../../src/flow/clamp";
import type { Network } from "../../../src/flow/network";
import { type Key, normal, normalAt, randomBits } from "../../../src/flow/random";
import { type FlowState, flow, followFlow } from "../../../src/flow/sampler";
import type { RngLayout, SamplerSettings } from "../../../src/flow/settings";
import { RUN_SETTINGS } from "../../../src/flow/testing/settings";
import { test } from "../source-pages";
import type { ToyRun } from "./kernel-page";
import { toyAnswer } from "./toy";

/** `src/flow`, which Python's numbers test, is the oracle of everything here. */

let page: Page;

test.beforeAll(({ gpuPage }) => {
  page = gpuPage;
});

/** Units in the last place between two floats of one sign; NaN for a number that is none. */
function ulps(a: number, b: number): number {
  const [x = 0, y = 0] = new Int32Array(Float32Array.of(a, b).buffer);
  return Number.isFinite(a) && Math.sign(a) === Math.sign(b) ? Math.abs(x - y) : Number.NaN;
}

/** The kernel's normals were at most 3 units off when this was written; another GPU may fuse other operations. */
const MOST_ULPS = 4;

test("draws JAX's bits, and its normals to a few units in the last place", async () => {
  const draws: [Key, number, RngLayout][] = [
    [[0, 7], 4096, "original"],
    [[0, 7], 4096, "partitionable"],
    [[0xdeadbeef, 0xffffffff], 4095, "original"],
    [[0xffffffff, 0x80000000], 1, "original"],
    [[0x12345678, 0], 65536, "original"],
  ];
  for (const [key, count, layout] of draws) {
    const drawn = await page.evaluate((of) => window.gpu.random(...of), [key, count, layout] as const);
    expect(drawn.bits).toEqual(Array.from(randomBits(key, count, layout)));
    const errors = Array.from(normal(key, count, layout), (value, i) => ulps(drawn.normals[i] as number, value));
    expect(errors.filter((error) => !(error <= MOST_ULPS))).toEqual([]);
  }
});

test("makes the rarest normals too, where 1 − u² hangs on the rounding of u²", async () => {
  const edges = [0, 1, 2, 3, 5, 9, 17, 100, 1000, 16_000].flatMap((k) => [
    k,
    2 ** 23 - 1 - k,
    2 ** 22 - 1 - k,
    2 ** 22 + k,
  ]);
  const normals = await page.evaluate(
    (words) => window.gpu.normals(words),
    edges.map((k) => k * 2 ** 9),
  );
  for (const [i, k] of edges.entries()) {
    const u = Math.fround(k * 2 ** -22 - 1 + 2 ** -24);
    expect(ulps(normals[i] as number, normalAt(u)), `k = ${k}`).toBeLessThanOrEqual(MOST_ULPS);
  }
});

const settings: SamplerSettings = { ...RUN_SETTINGS, steps: 6 };
const base = {
  settings,
  constants: { noiseScale: 2, tEps: 0.05, pMean: -1.5, pStd: 0.8, selfCondStart: "condition" },
  batch: 1,
  latentSize: 8,
  takesSelfCondScale: true,
} satisfies ToyRun;

/** The run's own toy network, as the flow wants it. */
function toyNetwork({ latentSize, takesSelfCondScale }: ToyRun): Network {
  return {
    latentSize,
    takesSelfCondScale,
    denoise: async ({ z, previous, t, selfCondScale }) =>
      z.map((value, i) => toyAnswer(value, previous[i] as number, t, takesSelfCondScale ? selfCondScale : 0)),
    decode: async () => [],
  };
}

async function statesOf(run: ToyRun): Promise<FlowState[]> {
  const { settings, constants, entry } = run;
  const states: FlowState[] = entry ? [entry] : [];
  const follow = entry
    ? followFlow(toyNetwork(run), entry, entry.step, settings, constants, run)
    : flow(toyNetwork(run), settings, constants, run);
  for await (const state of follow) states.push(state);
  return states;
}

const greatest = (a: readonly number[], b: Float32Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);

/** Greatest absolute difference of any z or x̂ of a run from the flow's. */
async function distance(run: ToyRun): Promise<number> {
  const expected = await statesOf(run);
  const actual = await page.evaluate((of) => window.gpu.toyRun(of), run);
  const place = ({ step, t, predictedAt }: { step: number; t: number; predictedAt: number }) => [step, t, predictedAt];
  expect(actual.map(place)).toEqual(expected.map(place));
  const distances = actual.map(({ z, prediction }, i) => {
    const state = expected[i] as FlowState;
    return Math.max(greatest(z, state.z), greatest(prediction, state.prediction));
  });
  return Math.max(...distances);
}

/** It was at most 1e-6 when this was written. */
const MOST_DISTANCE = 1e-5;

/** Prompts of different lengths for a batch of three. */
const condition = {
  latents: Float32Array.from({ length: 3 * 5 * 8 }, (_, i) => Math.sin(i)),
  lengths: [2, 1, 4],
  latentSize: 8,
};
const latent = (value: number) => new Float32Array(8).fill(value);
const clampOf = (batch: number) =>
  makeClamp(
    [
      { row: 0, position: 1, latent: latent(0.5) },
      { row: batch - 1, position: 4, latent: latent(-0.25) },
    ],
    settings,
    { noiseScale: 2, latentSize: 8, batch },
  );

const runs: Record<string, Partial<Omit<ToyRun, "settings">> & { settings?: Partial<SamplerSettings> }> = {
  "SDE, logit-normal": {},
  "SDE, partitionable bits, a batch of three": { settings: { rng: "partitionable" }, batch: 3 },
  "SDE, so much noise that α is 0": { settings: { gamma: 8, schedule: "uniform" } },
  "SDE, one step": { settings: { steps: 1 } },
  "ODE, uniform": { settings: { method: "ode", schedule: "uniform" } },
  "ODE, quantile": { settings: { method: "ode", schedule: "quantile" } },
  "ODE, multistep": { settings: { method: "ode", solver: "multistep" } },
  "a network without self-cond CFG tokens": { takesSelfCondScale: false },
  "a prompt": { batch: 3, condition },
  "a prompt and CFG": { batch: 3, condition, settings: { cfgScale: 2 } },
  "a prompt, CFG and two passes each": { batch: 3, condition, settings: { cfgScale: 2 }, takesSelfCondScale: false },
  "a prompt that x̂ starts without": {
    batch: 3,
    condition,
    constants: { ...base.constants, selfCondStart: "zero" },
    settings: { cfgScale: 2 },
    takesSelfCondScale: false,
  },
  "multistep with a prompt and CFG": {
    batch: 3,
    condition,
    settings: { cfgScale: 2, method: "ode", solver: "multistep" },
  },
  "clamped tokens, SDE": { clamp: clampOf(1) },
  "clamped tokens over a prompt, multistep": {
    batch: 3,
    condition,
    clamp: clampOf(3),
    settings: { method: "ode", solver: "multistep" },
  },
  "many workgroups, in several rows": { latentSize: 60, settings: { length: 65, steps: 2 }, widest: 7 },
};

for (const [name, changes] of Object.entries(runs)) {
  test(`keeps the flow's numbers: ${name}`, async () => {
    const run = { ...base, ...changes, settings: { ...settings, ...changes.settings } };
    expect(await distance(run)).toBeLessThanOrEqual(MOST_DISTANCE);
  });
}

test("goes on from any state of a run", async () => {
  for (const solver of ["euler", "multistep"] as const) {
    const run: ToyRun = { ...base, settings: { ...settings, method: "ode", solver } };
    const states = await statesOf(run);
    expect(await distance({ ...run, entry: states[3] })).toBeLessThanOrEqual(MOST_DISTANCE);
  }
  const states = await statesOf(base);
  expect(await distance({ ...base, entry: states[2] })).toBeLessThanOrEqual(MOST_DISTANCE);
});
