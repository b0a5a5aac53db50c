/** Runs at once, through the engine, with the tiny models of the fixtures: in wasm, whose batches are told to be a GPU's. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadFolder } from "../cli/folder";
import { SettingsError } from "../flow/errors";
import type { Network } from "../flow/network";
import type { SamplerSettings } from "../flow/settings";
import { RUN_SETTINGS } from "../flow/testing/settings";
import type { Frame } from "../flow/trajectory";
import type { Model } from "../runtime/load";
import { NOT_BEGUN, type RunEvent, type RunRequest } from "./api";
import { Engine } from "./engine";
import { planRecipe } from "./plan";
import { engineWith } from "./testing/engineWith";
import { companyOf } from "./together";

let free: Model;
let prompted: Model;
let twoPass: Model;
beforeAll(async () => {
  free = await loadFolder("test/fixtures/tiny-model");
  prompted = await loadFolder("test/fixtures/tiny-conditional");
  twoPass = await loadFolder("test/fixtures/tiny-two-pass");
});
afterAll(async () => {
  for (const model of [free, prompted, twoPass]) await model.network.dispose();
});

const asOnGpu = (model: Model): Model => ({ ...model, backend: "webgpu", gpu: undefined });

/** Counts the samples of each pass that the network is asked for. */
function countingBatches(model: Model): { model: Model; batches: number[] } {
  const batches: number[] = [];
  const { network } = model;
  const counted = <Input extends { readonly batch: number }>(ask: (input: Input) => Promise<Float32Array>) => {
    return (input: Input) => {
      batches.push(input.batch);
      return ask(input);
    };
  };
  const own: Model["network"] = {
    latentSize: network.latentSize,
    takesSelfCondScale: network.takesSelfCondScale,
    denoise: counted((input) => network.denoise(input)),
    denoiseMixed: counted((input) => (network as Required<Network>).denoiseMixed(input)),
    decode: (latents, scale) => network.decode(latents, scale),
    encode: (sources) => network.encode(sources),
    dispose: () => network.dispose(),
  };
  return { model: { ...model, network: own }, batches };
}

async function write(engine: Engine, request: RunRequest, signal?: AbortSignal) {
  const frames: Frame[] = [];
  const hear = (event: RunEvent) => event.type === "frame" && frames.push(event.frame);
  const { status, text, tokens } = await engine.generate(request, hear, signal);
  return { status, text, tokens, frames };
}

const settings: SamplerSettings = { ...RUN_SETTINGS, steps: 6, length: 16 };
const withSettings = (changes: readonly Partial<SamplerSettings>[], rest: Omit<RunRequest, "settings"> = {}) =>
  changes.map((change): RunRequest => ({ ...rest, settings: { ...settings, ...change } }));

const grid = [4, 6].flatMap((steps) => [0, 2].map((gamma) => ({ steps, gamma })));

describe("runs that may be written at once", () => {
  it.each([
    { what: "steps × γ", model: () => free, requests: withSettings(grid) },
    { what: "w", model: () => free, requests: withSettings([{ selfCondScale: 1 }, { selfCondScale: 4 }]) },
    {
      what: "ω, with a prompt",
      model: () => prompted,
      requests: withSettings([{ cfgScale: 1 }, { cfgScale: 2 }, { cfgScale: 5 }], { prompt: { ids: [5, 6, 7] } }),
    },
    {
      what: "w of a network that is guided by two passes",
      model: () => twoPass,
      requests: withSettings([{ selfCondScale: 1 }, { selfCondScale: 2 }]),
    },
    {
      what: "forks of one run, from its noise on",
      model: () => free,
      requests: withSettings([{ seed: 8 }, { seed: 9, method: "ode" }], {
        lead: true,
        from: { run: { settings }, step: 3 },
      }),
    },
  ])("are what each is alone, bit for bit: $what", async ({ model, requests }) => {
    const alone: unknown[] = [];
    for (const request of requests) alone.push(await write(await engineWith(model()), request));
    const engine = await engineWith(asOnGpu(model()));
    const atOnce = await Promise.all(requests.map((request) => write(engine, { ...request, atOnce: true })));
    expect(atOnce).toEqual(alone);
  });

  it("are one batch a step on a GPU, in wasm and unless they say so one run after another", async () => {
    const asked = async (model: Model, atOnce: boolean) => {
      const { model: counted, batches } = countingBatches(model);
      const engine = await engineWith(counted);
      await Promise.all(withSettings([{}, { gamma: 3 }, { gamma: 4 }], { atOnce }).map((run) => write(engine, run)));
      return batches;
    };
    expect(await asked(asOnGpu(free), true)).toEqual(new Array(6).fill(3));
    expect(await asked(asOnGpu(free), false)).toEqual(new Array(18).fill(1));
    expect(await asked(free, true)).toEqual(new Array(18).fill(1));
  });

  it("wait a moment for those that come as messages of their own", async () => {
    const { model, batches } = countingBatches(asOnGpu(free));
    const engine = await engineWith(model);
    const runs = [];
    for (const request of withSettings([{}, { gamma: 3 }, { gamma: 4 }], { atOnce: true })) {
      runs.push(write(engine, request));
      await new Promise((resolve) => setTimeout(resolve));
    }
    for (const run of runs) expect(await run).toMatchObject({ status: "done" });
    expect(batches).toEqual(new Array(6).fill(3));
  });

  it("end by their own signals, whether their turn has come or not", async () => {
    const engine = await engineWith(asOnGpu(free));
    const aborts = [1, 2, 3].map(() => new AbortController());
    const long = { settings: { ...settings, steps: 200 }, atOnce: true };
    const heard: number[] = [0, 0, 0];
    const runs = aborts.map(({ signal }, i) =>
      engine.generate(long, () => heard.splice(i, 1, (heard[i] as number) + 1), signal),
    );
    await vi.waitUntil(() => heard.every((count) => count > 2));
    aborts[1]?.abort();
    expect(await runs[1]).toMatchObject({ status: "cancelled" });
    const [before] = heard;
    await vi.waitUntil(() => (heard[0] as number) > (before as number) + 3);
    aborts[0]?.abort();
    aborts[2]?.abort();
    for (const run of runs) expect(await run).toMatchObject({ status: "cancelled" });
    expect(await engine.generate(long, () => {}, AbortSignal.abort())).toEqual(NOT_BEGUN);
    expect(await write(engine, { settings, atOnce: true })).toMatchObject({ status: "done" });
  });

  it("fail together where the network fails, and alone where they cannot be run", async () => {
    const engine = await engineWith(asOnGpu(free));
    const wrong = engine.generate({ settings: { ...settings, steps: 0 }, atOnce: true }, () => {});
    const right = write(engine, { settings, atOnce: true });
    await expect(wrong).rejects.toThrow(SettingsError);
    expect(await right).toMatchObject({ status: "done" });

    const broken = countingBatches(asOnGpu(free)).model;
    broken.network.denoiseMixed = async () => Promise.reject(new Error("The device is lost."));
    const lost = await engineWith(broken);
    const runs = withSettings([{}, { gamma: 3 }], { atOnce: true }).map((request) => write(lost, request));
    for (const run of runs) await expect(run).rejects.toThrow("The device is lost.");
  });

  it("are written by the model that they were asked of, though another's turn comes between", async () => {
    const [first, second] = [countingBatches(asOnGpu(free)), countingBatches(asOnGpu(free))];
    const models = [first.model, second.model];
    for (const { network } of models) network.dispose = async () => {};
    const engine = new Engine(async () => models.shift() as Model);
    const load = () => engine.load({ baseUrl: "", backend: "wasm" }, () => {});
    await load();
    const before = withSettings([{}, { seed: 2 }], { atOnce: true }).map((request) => write(engine, request));
    const loading = load();
    const after = write(engine, { settings, atOnce: true });
    for (const run of [...before, after]) expect(await run).toMatchObject({ status: "done" });
    await loading;
    expect([first.batches, second.batches]).toEqual([new Array(6).fill(2), new Array(6).fill(1)]);
  });
});

it("as many run at once as memory has room for", () => {
  const plans = Array.from({ length: 16 }, () => planRecipe(free, { settings }));
  expect(companyOf(free, plans)).toBe(1);
  expect(companyOf(free, [])).toBe(0);
  expect(companyOf(asOnGpu(free), plans)).toBe(16);
  const { manifest } = free;
  const architecture = { ...manifest.architecture, hiddenSize: 768, heads: 12, maxLength: 1024, vocabularySize: 32128 };
  const large: Model = { ...asOnGpu(free), manifest: { ...manifest, architecture } };
  const long = Array.from({ length: 16 }, () => planRecipe(large, { settings: { ...settings, length: 1024 } }));
  expect(companyOf(large, long)).toBe(1);
  const short = Array.from({ length: 16 }, () => planRecipe(large, { settings: { ...settings, length: 128 } }));
  expect(companyOf(large, short)).toBeGreaterThan(4);
  // One that is longer leaves room for fewer.
  expect(companyOf(large, [...short.slice(0, 3), ...long])).toBe(3);
});
