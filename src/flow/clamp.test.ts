import { describe, expect, it } from "vitest";
import { clampTo, makeClamp, renoise, replaceTokens } from "./clamp";
import { ConditionError } from "./errors";
import { fork } from "./fork";
import { runKeys } from "./keys";
import { runNoise } from "./noise";
import { foldIn, normal } from "./random";
import { type FlowState, flow } from "./sampler";
import type { SamplerSettings } from "./settings";
import { RUN_SETTINGS } from "./testing/settings";
import { ToyNetwork } from "./testing/toyNetwork";

const constants = { noiseScale: 2, tEps: 0.05, pMean: -1.5, pStd: 0.8, selfCondStart: "condition" } as const;
const settings: SamplerSettings = {
  ...RUN_SETTINGS,
  steps: 6,
  gamma: 1,
  selfCondScale: 1,
  schedule: "uniform",
  length: 3,
};
const shape = { noiseScale: 2, latentSize: 4, batch: 2 };
const latent = Float32Array.of(0.5, -1, 2, 0.25);
const clamp = makeClamp([{ row: 1, position: 2, latent }], settings, shape);
/** Where position 2 of row 1 begins. */
const AT = (1 * 3 + 2) * 4;

describe("a clamp", () => {
  it.each<Partial<SamplerSettings>>([
    {},
    { method: "ode", solver: "multistep" },
  ])("holds a position to its way from the run's own noise to the token: %o", async (way) => {
    const network = new ToyNetwork();
    const noise = runNoise(settings, 2, 24).start();
    const onItsWay = (t: number, i: number) => t * (latent[i] as number) + (1 - t) * (noise[AT + i] as number);
    for await (const { t, z } of flow(network, { ...settings, ...way }, constants, { batch: 2, clamp })) {
      for (let i = 0; i < 4; i++) expect(z[AT + i]).toBeCloseTo(onItsWay(t, i), 6);
    }
    // The network sees it there too, where the SDE has gone back in time as well.
    for (const { t, z } of network.asked) for (let i = 0; i < 4; i++) expect(z[AT + i]).toBeCloseTo(onItsWay(t, i), 6);
  });

  it("leaves the other positions alone, and ends on the token exactly", () => {
    const z = new Float32Array(24).fill(9);
    const end = clampTo(z, clamp, 1);
    expect(Array.from(end)).toEqual([...new Array(20).fill(9), ...latent]);
    expect(z.every((x) => x === 9)).toBe(true);
    expect(clampTo(z, undefined, 0.5)).toBe(z);
  });

  it.each([
    { row: 2, position: 0, latent },
    { row: 0, position: 3, latent },
    { row: 0, position: -1, latent },
    { row: 0, position: 0.5, latent },
    { row: 0, position: 0, latent: latent.slice(1) },
  ])("refuses what is not in the run: %o", (fixed) => {
    expect(() => makeClamp([fixed], settings, shape)).toThrow(ConditionError);
  });

  it("refuses to hold a position twice", () => {
    const fixed = { row: 0, position: 1, latent };
    expect(() => makeClamp([fixed, fixed], settings, shape)).toThrow("Position 1 of sample 0");
  });
});

async function middle(): Promise<FlowState> {
  for await (const state of flow(new ToyNetwork(), settings, constants, { batch: 2 }))
    if (state.step === 3) return state;
  throw new Error("The run was too short.");
}

describe("replaceTokens", () => {
  it("moves a position once, in the state and in the prediction", async () => {
    const state = await middle();
    const edited = replaceTokens(state, clamp);
    const noise = runNoise(settings, 2, 24).start();
    for (let i = 0; i < 4; i++) {
      expect(edited.z[AT + i]).toBeCloseTo(0.5 * (latent[i] as number) + 0.5 * (noise[AT + i] as number), 6);
    }
    expect(edited.prediction.slice(AT)).toEqual(latent);
    expect(edited.z.slice(0, AT)).toEqual(state.z.slice(0, AT));
    expect(edited.prediction.slice(0, AT)).toEqual(state.prediction.slice(0, AT));

    let end: FlowState | undefined;
    for await (const next of fork(new ToyNetwork(), edited, settings, constants)) end = next;
    // Nothing holds it there.
    expect(end?.z.slice(AT)).not.toEqual(latent);
  });
});

it("an edited state has no line of predictions to be carried on along", async () => {
  const state = await middle();
  const older = { prediction: state.prediction, predictedAt: 0.1 };
  expect(replaceTokens({ ...state, older }, clamp).older).toBeUndefined();
  expect(renoise({ ...state, older }, 0.25, settings, 2).older).toBeUndefined();
});

describe("renoise", () => {
  it("goes back by hand-worked numbers, with noise that no step draws", async () => {
    // From t = ½ to ¼: half of z, and √((3/4)² − (½·½)²) = √½ of the noise.
    const state = await middle();
    const back = renoise(state, 0.25, settings, 2);
    const { noise } = runKeys(settings.seed, settings.rng);
    const drawn = normal(foldIn(noise, 2 ** 31 + 3), 24, "original");
    for (const [i, x] of back.z.entries()) {
      expect(x).toBeCloseTo(0.5 * (state.z[i] as number) + Math.SQRT1_2 * 2 * (drawn[i] as number), 5);
    }
    expect(back).toMatchObject({ t: 0.25, prediction: state.prediction });
  });

  it("gives a state of the path the noise of the earlier time", () => {
    const count = 20_000;
    const noise = runNoise({ ...settings, seed: 99 }, 2, count).start();
    // z = t·x + (1 − t)·s·ε at t = 0.6, with x = 1.
    const z = noise.map((e) => 0.6 + 0.4 * e);
    const state = { t: 0.6, step: 2, z, prediction: z, predictedAt: 0.5 };
    const back = renoise(state, 0.2, settings, 2).z;
    const mean = back.reduce((sum, x) => sum + x, 0) / count;
    const deviation = Math.sqrt(back.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count);
    expect(mean).toBeCloseTo(0.2, 1);
    expect(deviation).toBeCloseTo(0.8 * 2, 1);
  });

  it("lets a fork go on at the earlier time, through the times between", async () => {
    const back = renoise(await middle(), 0.25, settings, 2);
    const times: number[] = [];
    for await (const { t } of fork(new ToyNetwork(), back, settings, constants)) times.push(t);
    expect(times).toEqual([0.25, ...[2, 3, 4, 5, 6].map((k) => Math.fround(k / 6))]);
  });

  it.each([0.5, 0.7, -0.1, Number.NaN])("refuses to go back to %d", async (t) => {
    const state = await middle();
    expect(() => renoise(state, t, settings, 2)).toThrow(ConditionError);
  });
});
