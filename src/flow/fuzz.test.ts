import { describe, expect, it } from "vitest";
import { checkSources, encodeCondition } from "./condition";
import { ElfError } from "./errors";
import type { Encoder, Network, Source } from "./network";
import { flow } from "./sampler";
import { checkBatch, checkSettings, type SamplerSettings, SETTING_CHOICES } from "./settings";

const CASES = 10_000;

const MODELS = [
  { maxLength: 5, maxInputLength: 0, sourceOptional: false, vocabularySize: 20 },
  { maxLength: 5, maxInputLength: 3, sourceOptional: false, vocabularySize: 20 },
  { maxLength: 5, maxInputLength: 3, sourceOptional: true, vocabularySize: 20 },
] as const;

const constants = { noiseScale: 2, tEps: 0.05, pMean: -1.5, pStd: 0.8, selfCondStart: "condition" } as const;

/** Bounded, like a trained network: what it predicts is a text's latent. Its encoder gives each token its number. */
const toy = (takesSelfCondScale: boolean): Network & Encoder => ({
  latentSize: 1,
  takesSelfCondScale,
  denoise: async ({ z, previous, t, selfCondScale }) =>
    z.map((x, i) => Math.tanh(x + 0.3 * (previous[i] as number) + t - 0.1 * selfCondScale)),
  decode: async () => [],
  encode: async (sources) => sources.map((source) => Float32Array.from(source)),
});

/** The same cases every time (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SILLY: readonly unknown[] = [
  ...[0, -1, -0.001, 0.5, 1e9, 1e308, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ...["", "7", "euler ", null, undefined, [], {}, true],
];

describe("random settings", () => {
  it(`run to finite numbers or are refused by name, ${CASES} of them`, async () => {
    const random = randomNumbers(5);
    const within = (least: number, greatest: number) => least + random() * (greatest - least);
    const oneOf = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
    /** Now and then something that nobody should give. */
    const mostly = <T>(sane: T): T => (random() < 0.02 ? (oneOf(SILLY) as T) : sane);
    const refusals = new Set<string>();
    let runs = 0;

    for (let i = 0; i < CASES; i++) {
      const model = oneOf(MODELS);
      const settings: SamplerSettings = {
        steps: mostly(random() < 0.002 ? Math.floor(within(1, 1200)) : Math.floor(within(1, 9))),
        method: mostly(oneOf(SETTING_CHOICES.method)),
        gamma: mostly(within(-0.2, 8.2)),
        selfCondScale: mostly(within(0.4, 8.1)),
        cfgScale: mostly(random() < 0.5 ? 1 : within(-0.2, 20.2)),
        schedule: mostly(oneOf(SETTING_CHOICES.schedule)),
        solver: mostly(random() < 0.5 ? "euler" : oneOf(SETTING_CHOICES.solver)),
        rng: mostly(oneOf(SETTING_CHOICES.rng)),
        seed: mostly(Math.floor(within(0, 2 ** 32))),
        length: mostly(Math.floor(within(1, 6))),
      };
      const batch = mostly(oneOf([1, 1, 2, 3]));
      // As many prompts as samples, but for a silly number of samples; one for all; or none.
      const each = [1, 2, 3].includes(batch) ? batch : 1;
      const prompts = model.maxInputLength === 0 ? oneOf([0, 0, 0, 1]) : oneOf([0, 1, 1, each, each + 1]);
      const sources: Source[] = Array.from({ length: prompts }, () => {
        const length = random() < 0.05 ? 0 : Math.floor(within(1, 5));
        return Array.from({ length }, () => mostly(Math.floor(within(0, 20))));
      });
      try {
        checkBatch(batch);
        checkSettings(settings, model.maxLength, sources.length > 0);
        checkSources(sources, batch, settings.length, model);
      } catch (error) {
        if (!(error instanceof ElfError)) throw error;
        expect(error.action.length).toBeGreaterThan(0);
        refusals.add(error.message);
        continue;
      }
      runs++;
      const network = toy(random() < 0.7);
      const condition = await encodeCondition(network, sources, { batch, length: settings.length, latentSize: 1 });
      let states = 0;
      let finite = true;
      for await (const { z, prediction } of flow(network, settings, constants, { batch, condition })) {
        states++;
        finite &&= z.every(Number.isFinite) && prediction.every(Number.isFinite);
      }
      // One assertion for both, for matchers are slow.
      if (!finite || states !== settings.steps + 1)
        expect.fail(`${JSON.stringify({ settings, batch, sources })} failed`);
    }

    expect(runs).toBeGreaterThan(1500);
    const named = [
      ...["steps is 0", "gamma is -1", "gamma is NaN", "selfCondScale is", "cfgScale is 1e+308", "cfgScale is 20."],
      ...["there is no prompt to guide", "solver is multistep, which the SDE", "seed is", "length is", "batch is"],
      ...[
        "takes no prompt",
        "needs a prompt",
        "prompts for a batch",
        "is empty",
        "has 4 tokens",
        "leaves no room",
        "names the token",
      ],
    ];
    const unheard = named.filter((words) => ![...refusals].some((message) => message.includes(words)));
    expect(unheard).toEqual([]);
  });
});
