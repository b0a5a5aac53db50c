import { describe, expect, it } from "vitest";
import type { SamplerSettings } from "../../flow/settings";
import { RUN_SETTINGS } from "../../flow/testing/settings";
import { passesOf, planRun } from "./plan";

const settings: SamplerSettings = { ...RUN_SETTINGS, steps: 4, method: "ode", gamma: 2, schedule: "uniform" };
const constants = { noiseScale: 2, tEps: 0.05, pMean: -1.5, pStd: 0.8, selfCondStart: "condition" } as const;
const shape = { count: 40, latentSize: 8, passes: 1, views: 1 } as const;
const plan = (changes: Partial<SamplerSettings> = {}, entry?: Parameters<typeof planRun>[3]) =>
  planRun({ ...settings, ...changes }, constants, shape, entry);

/** The numbers of `Step` from h to `added`. */
const floats = (bytes: ArrayBuffer) => Array.from(new Float32Array(bytes, 32, 8));

describe("planRun", () => {
  it("sets up the start, then completes a step with each dispatch", () => {
    expect(plan().map(({ completes }) => completes)).toEqual([0, 1, 2, 3, 4]);
    expect(plan().map(({ t }) => t)).toEqual([0, 0.25, 0.5, 0.75, 1]);
  });

  it("carries predictions on by the ratio of the steps, where the solver looks back", () => {
    const steps = plan({ solver: "multistep" });
    expect(steps.map(({ olderAt }) => olderAt)).toEqual([undefined, undefined, 0, 0.25, 0.5]);
    // Nothing lies behind the first step, and the last one leads to its aim itself.
    expect(steps.map(({ bytes }) => floats(bytes)[2])).toEqual([0, 0, 0.5, 0.5, 0]);
    expect(steps.map(({ bytes }) => floats(bytes)[4])).toEqual([0, 0, 1, 1, 1]);
    const entered = plan(
      { solver: "multistep" },
      { step: 2, t: 0.5, predictedAt: 0.25, older: { predictedAt: 0.125 } },
    );
    expect(floats(entered[0]?.bytes as ArrayBuffer)[4]).toBe(2);
  });

  it("lets the network look back in time before each step of the SDE but the last", () => {
    // h = 1/4, so α = 1 − 2/4, and a step goes from t/2 to t + 1/4.
    const steps = plan({ method: "sde" }).map(({ bytes }) => floats(bytes));
    expect(steps.map(([, , , , , inputTime]) => inputTime)).toEqual([0, 0.125, 0.25, 0.75, 1]);
    expect(plan({ method: "sde" }).map(({ asksAt }) => asksAt)).toEqual([0, 0.125, 0.25, 0.75, 1]);
    // γ over t: none up to t = 0.25, and what the steps at 0.5 and after have is that of the curve.
    const gammaCurve = [
      [0.25, 0],
      [0.5, 2],
    ] as const;
    const level = plan({ method: "sde", gamma: 2 }).map(({ asksAt }) => asksAt);
    const drawn = plan({ method: "sde", gammaCurve }).map(({ asksAt }) => asksAt);
    expect(drawn).toEqual([0, 0.25, level[2], 0.75, 1]);
    expect(steps.map(([h]) => h)).toEqual([0, 0.25, 0.375, 0.5, 0.25]);
    expect(steps.map(([, , , , , , kept]) => kept)).toEqual([0.5, 0.5, 0.5, 1, 1]);
    expect(steps.map(([, divisor]) => divisor)).toEqual([1, 1, 0.875, 0.75, 0.25]);
  });

  it("begins at a state from elsewhere", () => {
    const dispatches = plan({}, { step: 2, t: 0.4, predictedAt: 0.3 });
    expect(dispatches.map(({ completes, t, predictedAt }) => [completes, t, predictedAt])).toEqual([
      [2, 0.4, 0.3],
      [3, 0.75, 0.4],
      [4, 1, 0.75],
    ]);
  });
});

describe("passesOf", () => {
  it("counts the passes of a prediction", () => {
    const guided = { ...settings, cfgScale: 2 };
    expect(passesOf(settings, true, true)).toEqual({ views: 1, passes: 1 });
    expect(passesOf(guided, false, true)).toEqual({ views: 1, passes: 1 });
    expect(passesOf(guided, true, true)).toEqual({ views: 2, passes: 2 });
    expect(passesOf(settings, false, false)).toEqual({ views: 1, passes: 2 });
    expect(passesOf(guided, true, false)).toEqual({ views: 2, passes: 4 });
    expect(passesOf({ ...guided, selfCondScale: 1 }, true, false)).toEqual({ views: 2, passes: 2 });
  });
});
