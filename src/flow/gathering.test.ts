import { describe, expect, it, vi } from "vitest";
import { CancelledError } from "./errors";
import { Gathering } from "./gathering";
import type { Encoder, MixedInput, Network } from "./network";
import { type FlowState, flow } from "./sampler";
import type { SamplerSettings } from "./settings";
import { RUN_SETTINGS } from "./testing/settings";
import { ToyNetwork } from "./testing/toyNetwork";

const constants = { noiseScale: 2, tEps: 0.05, pMean: -1.5, pStd: 0.8, selfCondStart: "zero" } as const;

/** The toy, with an encoder that nobody asks, and, where wanted, samples at times of their own. */
function toyThat(mixes: boolean) {
  const toy = new ToyNetwork();
  const mixed: MixedInput[] = [];
  const denoiseMixed = async (input: MixedInput) => {
    mixed.push(input);
    const { z, previous, batch, t, selfCondScale } = input;
    const size = z.length / batch;
    const at = (values: MixedInput["t"], row: number) =>
      typeof values === "number" ? values : (values[row] as number);
    const answer = new Float32Array(z.length);
    for (let row = 0; row < batch; row++) {
      const own = [row * size, (row + 1) * size] as const;
      const input = { batch: 1, t: at(t, row), selfCondScale: at(selfCondScale, row) };
      answer.set(await toy.denoise({ z: z.subarray(...own), previous: previous.subarray(...own), ...input }), own[0]);
      toy.asked.pop();
    }
    return answer;
  };
  const network: Network & Encoder = {
    latentSize: toy.latentSize,
    takesSelfCondScale: true,
    prepare: (times, scale) => toy.prepare(times, scale as number),
    denoise: (input) => toy.denoise(input),
    decode: (latents) => toy.decode(latents),
    encode: async () => [],
    ...(mixes ? { denoiseMixed } : {}),
  };
  return { network, toy, mixed };
}

async function written(network: Network, settings: SamplerSettings): Promise<FlowState> {
  let last: FlowState | undefined;
  for await (const state of flow(network, settings, constants)) last = state;
  if (!last) throw new Error("The flow yielded no state.");
  return last;
}

/** Writes runs at once, as a caller does: each leaves at its end. */
function writtenAtOnce(network: Network & Encoder, runs: readonly SamplerSettings[]): Promise<FlowState[]> {
  const gathering = new Gathering(network, runs.length);
  return Promise.all(runs.map((run) => written(gathering.network, run).finally(() => gathering.leave())));
}

const gammas = [0, 1, 2, 4].map((gamma) => ({ ...RUN_SETTINGS, gamma }));
const scales = [1, 3].map((selfCondScale) => ({ ...RUN_SETTINGS, selfCondScale }));
const seeds = [7, 8, 9].map((seed) => ({ ...RUN_SETTINGS, seed, schedule: "uniform" as const }));
const steps = [3, 8, 5].map((steps) => ({ ...RUN_SETTINGS, steps }));

describe("runs at once", () => {
  it.each([
    { what: "γ", runs: gammas },
    { what: "w", runs: scales },
    { what: "seed", runs: seeds },
    { what: "number of steps", runs: steps },
  ])("with each its own $what end, bit for bit, where each ends alone", async ({ runs }) => {
    const alone = await Promise.all(runs.map((run) => written(new ToyNetwork(), run)));
    for (const mixes of [true, false]) expect(await writtenAtOnce(toyThat(mixes).network, runs)).toEqual(alone);
  });

  it("are one batch a step where samples may be at times of their own", async () => {
    const { network, toy, mixed } = toyThat(true);
    await writtenAtOnce(network, gammas);
    const asked: readonly { batch: number }[] = [...mixed, ...toy.asked];
    expect(asked.map(({ batch }) => batch)).toEqual(new Array(RUN_SETTINGS.steps).fill(4));
    // All are at one time in noise and where no noise is added any more; between, each goes back as far as its γ says.
    expect(toy.asked).toHaveLength(2);
    expect(toy.asked[0]?.t).toBe(0);
  });

  it("are as many batches as there are times where a batch shares one", async () => {
    const { network, toy } = toyThat(false);
    await writtenAtOnce(network, seeds);
    expect(toy.asked.map(({ batch }) => batch)).toEqual(new Array(RUN_SETTINGS.steps).fill(3));
    const apart = toyThat(false);
    await writtenAtOnce(apart.network, scales);
    expect(apart.toy.asked.map(({ batch }) => batch)).toEqual(new Array(2 * RUN_SETTINGS.steps).fill(1));
  });

  it("go on without one that has ended, and announce all their times at once", async () => {
    const { network, toy, mixed } = toyThat(true);
    await writtenAtOnce(network, steps);
    const batches = [...mixed, ...toy.asked].map(({ batch }) => batch).sort();
    expect(batches).toEqual([1, 1, 1, 2, 2, 3, 3, 3]);
    expect(toy.announced).toHaveLength(1);
    expect(toy.announced[0]?.times).toHaveLength(3 + 8 + 5);
  });

  it("read several texts as one batch, each answered with its own", async () => {
    const { network, toy } = toyThat(true);
    const decode = vi.fn<Network["decode"]>((latents) => toy.decode(latents));
    const gathering = new Gathering({ ...network, decode }, 2);
    const [one, two] = await Promise.all([
      gathering.network.decode([Float32Array.of(1), Float32Array.of(2)], 1),
      gathering.network.decode([Float32Array.of(3)], 2),
    ]);
    expect(decode.mock.calls.map(([latents, scale]) => [latents.length, scale])).toEqual([[3, [1, 1, 2]]]);
    expect([one, two].map((readings) => readings?.map(({ tokens }) => tokens[0]))).toEqual([[100, 200], [300]]);
  });

  it("all hear of a fault, and of one alone the others nothing", async () => {
    const { network } = toyThat(true);
    const lost = { ...network, denoise: async () => Promise.reject(new Error("lost")) };
    const atOnce = new Gathering(lost, 3);
    const ends = seeds.map((run) => written(atOnce.network, run).finally(() => atOnce.leave()));
    expect((await Promise.allSettled(ends)).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);

    const gathering = new Gathering(network, 2);
    const abort = new AbortController();
    const stopped = (async () => {
      for await (const { step } of flow(gathering.network, RUN_SETTINGS, constants, { signal: abort.signal }))
        if (step === 2) abort.abort();
    })().finally(() => gathering.leave());
    const whole = written(gathering.network, RUN_SETTINGS).finally(() => gathering.leave());
    await expect(stopped).rejects.toThrow(CancelledError);
    expect((await whole).step).toBe(RUN_SETTINGS.steps);
  });
});
