import { describe, expect, it } from "vitest";
import { SettingsError } from "./errors";
import { fork, stepAt } from "./fork";
import { type FlowOptions, type FlowState, flow } from "./sampler";
import type { SamplerSettings } from "./settings";
import { StateStore } from "./stateStore";
import { RUN_SETTINGS as settings } from "./testing/settings";
import { ToyNetwork } from "./testing/toyNetwork";

const constants = { noiseScale: 2, tEps: 0.05, pMean: -1.5, pStd: 0.8, selfCondStart: "condition" } as const;

async function all(states: AsyncIterable<FlowState>): Promise<FlowState[]> {
  const list: FlowState[] = [];
  for await (const state of states) list.push(state);
  return list;
}

const parent = (changes: Partial<SamplerSettings> = {}, options: FlowOptions = {}) =>
  all(flow(new ToyNetwork(), { ...settings, ...changes }, constants, options));

const ways: Partial<SamplerSettings>[] = [
  {},
  { method: "ode" },
  { method: "ode", solver: "multistep", schedule: "quantile" },
  { method: "ode", solver: "multistep", schedule: "uniform" },
];

describe("fork", () => {
  it.each(ways)("repeats its parent bit for bit from every frame, changing nothing: %o", async (way) => {
    const states = await parent(way, { batch: 2 });
    for (const [k, state] of states.entries()) {
      const again = await all(fork(new ToyNetwork(), state, { ...settings, ...way }, constants));
      expect(again).toEqual(states.slice(k));
    }
  });

  it("goes on with the times of another schedule that lie ahead, by their numbers there", async () => {
    const states = await parent({ schedule: "uniform" });
    // 0.375 lies between 3/10 and 4/10.
    const changed: SamplerSettings = { ...settings, schedule: "uniform", steps: 10, method: "ode" };
    const network = new ToyNetwork();
    const forked = await all(fork(network, states[3] as FlowState, changed, constants));
    expect(forked.map(({ step }) => step)).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
    expect(forked.map(({ t }) => t)).toEqual([0.375, ...[4, 5, 6, 7, 8, 9, 10].map((k) => Math.fround(k / 10))]);
    expect(network.asked[0]).toMatchObject({ t: 0.375, z: states[3]?.z, previous: states[3]?.prediction });
  });

  it.each<[string, Partial<SamplerSettings>]>([
    ["seed", { seed: 8, schedule: "uniform" }],
    ["gamma", { gamma: 0.5 }],
    ["self-conditioning scale", { selfCondScale: 1 }],
    ["method", { method: "ode" }],
  ])("leads elsewhere with another %s", async (_, change) => {
    const states = await parent({ schedule: "uniform" });
    const changed = { ...settings, schedule: "uniform", ...change } as const;
    const forked = await all(fork(new ToyNetwork(), states[2] as FlowState, changed, constants));
    expect(forked[0]).toEqual(states[2]);
    expect(forked[1]?.z).not.toEqual(states[3]?.z);
  });

  it("tells the network the times of the way that is left, from the state's own", async () => {
    const network = new ToyNetwork();
    const middle = { ...((await parent())[3] as FlowState), t: 0.01 };
    await all(fork(network, middle, settings, constants));
    expect(network.announced).toEqual([{ times: network.asked.map(({ t }) => t), selfCondScale: 3 }]);
  });

  it("has nothing to add at t = 1, and refuses another length", async () => {
    const end = (await parent()).at(-1) as FlowState;
    expect(await all(fork(new ToyNetwork(), end, { ...settings, steps: 3 }, constants))).toEqual([{ ...end, step: 3 }]);
    const longer = fork(new ToyNetwork(), end, { ...settings, length: 6 }, constants);
    await expect(longer.next()).rejects.toThrow(SettingsError);
  });

  it("finds its place among equal times by its number", () => {
    const times = Float32Array.of(0, 0.25, 0.25, 0.5, 1);
    expect(stepAt(times, { step: 1, t: 0.25 })).toBe(1);
    expect(stepAt(times, { step: 2, t: 0.25 })).toBe(2);
    expect(stepAt(times, { step: 0, t: 0.25 })).toBe(2);
    expect(stepAt(times, { step: 9, t: 0.3 })).toBe(2);
    expect(stepAt(times, { step: 9, t: 1 })).toBe(4);
  });
});

/** A state of a stored run: kept, or had again from the nearest one before it. */
async function recalled(
  network: ToyNetwork,
  store: StateStore,
  step: number,
  way: SamplerSettings,
): Promise<FlowState> {
  const from = store.keptBefore(step) as FlowState;
  const states = await all(fork(network, from, way, constants));
  return states.find((state) => state.step === step) as FlowState;
}

describe("a run in bounded memory", () => {
  const n = settings.length * 4;
  const long: SamplerSettings = { ...settings, steps: 64 };

  it("is kept whole where there is room, eight bytes for each number of a state", async () => {
    const store = new StateStore();
    const states = await parent();
    for (const state of states) store.add(state);
    expect(store.bytes).toBe(9 * 8 * n);
    for (const state of states) expect(store.keptBefore(state.step)).toBe(state);
  });

  it.each([
    40, 20, 9, 3,
  ])("stays within the bytes of %i states, and gives every state back bit for bit", async (room) => {
    const store = new StateStore(room * 8 * n);
    const states = await parent(long);
    for (const state of states) {
      store.add(state);
      expect(store.bytes).toBeLessThanOrEqual(store.limitBytes);
    }
    expect(store.keptBefore(0)).toBe(states[0]);
    expect(store.keptBefore(64)).toBe(states[64]);
    const network = new ToyNetwork();
    for (const step of [1, 17, 40, 63]) {
      const { z } = states[step] as FlowState;
      expect((await recalled(network, store, step, long)).z).toEqual(z);
    }
  });

  it("keeps every second state where half of them fit, so that the way to any is short", async () => {
    const store = new StateStore(40 * 8 * n);
    for (const state of await parent(long)) store.add(state);
    for (let step = 0; step <= 64; step++) expect(store.keptBefore(step)?.step).toBe(step - (step % 2));
  });

  it("counts the prediction before the last where the solver needs it, and forks from it", async () => {
    const back: SamplerSettings = { ...long, method: "ode", solver: "multistep" };
    const states = await parent(back);
    const store = new StateStore(12 * 12 * n);
    for (const state of states) {
      store.add(state);
      expect(store.bytes).toBeLessThanOrEqual(store.limitBytes);
    }
    for (const step of [1, 2, 31, 63]) {
      expect(await recalled(new ToyNetwork(), store, step, back)).toEqual(states[step]);
    }
    const whole = new StateStore();
    for (const state of states.slice(0, 3)) whole.add(state);
    // There is none before the first prediction.
    expect(whole.bytes).toBe((8 + 8 + 12) * n);
  });

  it("keeps a fork, whose first state has a number above 0", async () => {
    const states = (await parent()).slice(3);
    const store = new StateStore(2 * 8 * n);
    for (const state of states) store.add(state);
    expect(store.keptBefore(2)).toBeUndefined();
    expect(store.keptBefore(5)).toBe(states[0]);
    expect((await recalled(new ToyNetwork(), store, 6, settings)).z).toEqual(states[3]?.z);
  });
});
