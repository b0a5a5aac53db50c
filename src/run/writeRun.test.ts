/** Prompts, forks and held tokens, through the engine, with the tiny models of the fixtures in wasm. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadFolder } from "../cli/folder";
import { ConditionError, SettingsError } from "../flow/errors";
import type { HeldToken } from "../flow/held";
import { framesOf } from "../flow/paths";
import type { Recipe } from "../flow/recipe";
import { reverse } from "../flow/reverse";
import type { SamplerSettings } from "../flow/settings";
import { RUN_SETTINGS } from "../flow/testing/settings";
import { type Frame, readFrame } from "../flow/trajectory";
import { flowConstants } from "../format/manifest";
import type { Model } from "../runtime/load";
import { TokenizerError } from "../runtime/tokenizer";
import type { ReadEvent, RunEvent, RunRequest } from "./api";
import type { Engine } from "./engine";
import { RunMemory } from "./memory";
import { countPasses } from "./passes";
import { planRecipe } from "./plan";
import { findPaths } from "./readRun";
import { engineWith } from "./testing/engineWith";
import { followRun, writeRun } from "./writeRun";

const modelOf = (name: string): Promise<Model> => loadFolder(`test/fixtures/${name}`);

async function write(engine: Engine, request: RunRequest) {
  const events: RunEvent[] = [];
  const result = await engine.generate(request, (event) => events.push(event));
  const frames: Frame[] = events.flatMap((event) => (event.type === "frame" ? [event.frame] : []));
  const start = events.find((event) => event.type === "start");
  if (!start) throw new Error("The run did not start.");
  const recalled = events.filter(({ type }) => type === "recall").length;
  return { ...result, times: start.times, first: start.first, frames, recalled };
}

const lastTokens = ({ frames }: { frames: readonly Frame[] }) => Array.from(frames.at(-1)?.holds.tokens ?? []);

let tiny: Model;
let conditional: Model;
/** One that may be left without a prompt. */
let optional: Model;
beforeAll(async () => {
  tiny = await modelOf("tiny-model");
  conditional = await modelOf("tiny-conditional");
  optional = await modelOf("tiny-two-pass");
});
afterAll(async () => {
  await tiny.network.dispose();
  await conditional.network.dispose();
  await optional.network.dispose();
});

const settings: SamplerSettings = { ...RUN_SETTINGS, steps: 6, length: 16 };

describe("a fork", () => {
  it.each<Partial<SamplerSettings>>([
    {},
    { method: "ode", schedule: "uniform" },
    { method: "ode", solver: "multistep", schedule: "quantile" },
  ])("that changes nothing is its parent, bit for bit, remembered or not: %o", async (way) => {
    const run: Recipe = { settings: { ...settings, ...way } };
    const engine = await engineWith(tiny);
    const parent = await write(engine, run);
    expect(parent).toMatchObject({ first: 0, recalled: 0 });
    for (const step of [0, 1, 4, 5]) {
      const again = { ...run, from: { run, step } };
      const remembered = await write(engine, again);
      expect(remembered).toMatchObject({ first: step, recalled: 0, times: parent.times, text: parent.text });
      expect(remembered.frames).toEqual(parent.frames.slice(step));
      const forgotten = await write(await engineWith(tiny), again);
      expect(forgotten.recalled).toBe(step);
      expect(forgotten.frames).toEqual(parent.frames.slice(step));
    }
    const whole = await write(await engineWith(tiny), { ...run, from: { run, step: 4 }, lead: true });
    expect(whole.first).toBe(0);
    expect(whole.frames).toEqual(parent.frames);
  });

  it("leaves what came before alone and what comes after not, and can be forked again", async () => {
    const run: Recipe = { settings };
    const engine = await engineWith(tiny);
    const parent = await write(engine, run);
    const other: Recipe = { settings: { ...settings, method: "ode", steps: 9 }, from: { run, step: 2 } };
    const fork = await write(engine, other);
    expect(fork.frames[0]).toEqual(parent.frames[2]);
    expect(fork.frames.map(({ step }) => step)).toEqual(fork.frames.map((_, i) => 2 + i));
    expect(fork.frames.map(({ t }) => t)).toEqual(fork.times.slice(2));
    expect(lastTokens(fork)).not.toEqual(lastTokens(parent));

    const third: Recipe = { settings: { ...settings, seed: 8 }, from: { run: other, step: 3 } };
    const remembered = await write(engine, third);
    const forgotten = await write(await engineWith(tiny), { ...third, lead: true });
    expect(forgotten.frames.slice(3)).toEqual(remembered.frames);
    expect(forgotten.frames.slice(0, 2)).toEqual(parent.frames.slice(0, 2));
    expect(forgotten.frames[2]).toEqual(fork.frames[0]);
  });

  it("at a frame that its parent only goes on from is one of the run that the frame is of", async () => {
    const run: Recipe = { settings };
    const later: Recipe = { settings: { ...settings, seed: 9 }, from: { run, step: 4 } };
    const other = { ...settings, method: "ode" as const, steps: 5 };
    const wanted = await write(await engineWith(tiny), { settings: other, from: { run, step: 2 } });
    const early = { settings: other, from: { run: later, step: 2 } };
    expect(await write(await engineWith(tiny), early)).toMatchObject({ ...wanted, seconds: expect.any(Number) });
    const whole = await write(await engineWith(tiny), { ...early, lead: true });
    expect(whole.frames.map(({ step }) => step)).toEqual(whole.times.map((_, i) => i));
    const read: number[] = [];
    const onEvent = (event: ReadEvent) => {
      if (event.type === "frame") read.push(event.frame.step);
    };
    await (await engineWith(tiny)).read({ ...early, steps: [0, 1, 2, 3] }, onEvent);
    expect(read).toEqual([0, 1, 2, 3]);
  });

  it("goes on from a run that was stopped", async () => {
    const run: Recipe = { settings };
    const parent = await write(await engineWith(tiny), run);
    const engine = await engineWith(tiny);
    const abort = new AbortController();
    const stop = (event: RunEvent) => {
      if (event.type === "frame" && event.frame.step === 3) abort.abort();
    };
    const stopped = await engine.generate(run, stop, abort.signal);
    expect(stopped.status).toBe("cancelled");
    const rest = await write(engine, { ...run, from: { run, step: 3 } });
    expect(rest).toMatchObject({ recalled: 0, text: parent.text });
    expect(rest.frames).toEqual(parent.frames.slice(3));
  });

  it("can be cancelled while its parent is written again", async () => {
    const engine = await engineWith(tiny);
    const run: Recipe = { settings: { ...settings, steps: 200 } };
    const events: RunEvent[] = [];
    const abort = new AbortController();
    const stop = (event: RunEvent) => {
      events.push(event);
      if (event.type === "recall" && event.done === 3) abort.abort();
    };
    const result = await engine.generate({ ...run, from: { run, step: 150 } }, stop, abort.signal);
    expect(result).toMatchObject({ status: "cancelled", text: "" });
    expect(events.length).toBeLessThan(10);
  });

  it.each<[string, Recipe, RegExp]>([
    ["a frame that is not there", { settings, from: { run: { settings }, step: 6 } }, /from step 6/],
    ["another length", { settings: { ...settings, length: 9 }, from: { run: { settings }, step: 2 } }, /length is 9/],
  ])("is refused from %s", async (_, recipe, message) => {
    const engine = await engineWith(tiny);
    await expect(engine.generate(recipe, () => {})).rejects.toThrow(SettingsError);
    await expect(engine.generate(recipe, () => {})).rejects.toThrow(message);
  });
});

describe("a start between two seeds", () => {
  const ode: SamplerSettings = { ...settings, method: "ode", schedule: "uniform" };
  const between = (weight: number, seed = 8): Recipe => ({ settings: ode, towards: { seed, weight } });

  it("leads from the run of one to that of the other", async () => {
    const engine = await engineWith(tiny);
    const own = await write(engine, { settings: ode });
    const other = await write(engine, { settings: { ...ode, seed: 8 } });
    expect(lastTokens(own)).not.toEqual(lastTokens(other));
    expect((await write(engine, between(0))).frames).toEqual(own.frames);
    expect((await write(engine, between(1))).frames).toEqual(other.frames);
    const middle = await write(engine, between(0.5));
    expect(middle).toMatchObject({ status: "done", first: 0 });
    expect(middle.frames.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    for (const end of [own, other]) expect(middle.frames[0]).not.toEqual(end.frames[0]);
    expect((await write(await engineWith(tiny), between(0.5))).frames).toEqual(middle.frames);
  });

  it("can be gone on from, held on the way, and read again", async () => {
    const held = [{ position: 1, token: 50 }];
    const run = { ...between(0.5), held };
    const engine = await engineWith(tiny);
    const parent = await write(engine, run);
    expect(parent.frames.at(-1)?.holds.tokens[1]).toBe(50);
    for (const step of [0, 3]) {
      const again = await write(await engineWith(tiny), { ...run, from: { run, step }, towards: undefined });
      expect(again.frames).toEqual(parent.frames.slice(step));
    }
    const read: ReadEvent[] = [];
    await (await engineWith(tiny)).read({ ...run, steps: [0, 4] }, (event) => read.push(event));
    const frames = read.flatMap((event) => (event.type === "frame" ? [event.frame] : []));
    expect(frames).toEqual([parent.frames[0], parent.frames[4]]);
  });

  it("is refused to a run that goes on from another", async () => {
    const engine = await engineWith(tiny);
    const fork = { ...between(0.5), from: { run: { settings: ode }, step: 2 } };
    await expect(engine.generate(fork, () => {})).rejects.toThrow("has its noise");
  });
});

describe("a start from the noise of a text", () => {
  const ode: SamplerSettings = { ...settings, method: "ode", schedule: "quantile" };
  const back = { ids: Array.from({ length: ode.length }, (_, i) => 20 + i) };

  it("is where the ODE leads back to, and the run goes forward from there", async () => {
    const { latentSize } = tiny.network;
    const [clean] = await tiny.network.encode([back.ids]);
    const constants = flowConstants(tiny.manifest);
    const { start, end } = await reverse(tiny.network, clean as Float32Array, ode, constants);
    expect(start.z).toHaveLength(ode.length * latentSize);
    const wanted = await readFrame(tiny.network, end, ode.selfCondScale);
    const written = await write(await engineWith(tiny), { settings: ode, back });
    expect(written.frames.at(-1)?.holds.tokens).toEqual(wanted.holds.tokens);
    expect(written.frames.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const own = await write(await engineWith(tiny), { settings: ode });
    expect(written.frames[0]).not.toEqual(own.frames[0]);
  });

  it("can be gone on from, held on the way, and read again", async () => {
    const run = { settings: ode, back, held: [{ position: 1, token: 50 }] };
    const parent = await write(await engineWith(tiny), run);
    expect(parent.frames.at(-1)?.holds.tokens[1]).toBe(50);
    const again = await write(await engineWith(tiny), { ...run, from: { run, step: 3 }, back: undefined });
    expect(again.frames).toEqual(parent.frames.slice(3));
  });

  it.each<[string, (abort: AbortController) => void]>([
    ["at once", (abort) => abort.abort()],
    // As the message of a page comes to a worker.
    ["in a task of its own", (abort) => setImmediate(() => abort.abort())],
  ])("is heard of %s where it is cancelled on the way back, and leaves nothing that the next run begins with", async (_, end) => {
    const run: Recipe = { settings: { ...ode, steps: 40 }, back };
    const { model, passes } = countPasses(tiny);
    const abort = new AbortController();
    const denoise: Model["network"]["denoise"] = (input) => {
      if (passes.denoise === 0) end(abort);
      return model.network.denoise(input);
    };
    const engine = await engineWith({ ...model, network: { ...model.network, denoise } });
    const stopped = await engine.generate(run, () => {}, abort.signal);
    expect(stopped).toMatchObject({ status: "cancelled", text: "" });
    expect(passes.denoise).toBeLessThan(5);
    expect((await write(engine, run)).frames).toEqual((await write(await engineWith(tiny), run)).frames);
  });

  it.each([
    ["of another length", { ids: [1, 2] }, {}, "has room for"],
    ["with a token that there is none of", { ids: back.ids.map(() => 99_999) }, {}, "token 99999"],
    ["and towards a seed", back, { towards: { seed: 3, weight: 0.5 } }, "or towards that of a seed"],
    ["to go on from another", back, { from: { run: { settings: ode }, step: 2 } }, "has its noise"],
  ])("is refused to a text %s", async (_, text, change, why) => {
    const engine = await engineWith(tiny);
    await expect(engine.generate({ settings: ode, back: text, ...change }, () => {})).rejects.toThrow(why);
  });
});

describe("a prompt", () => {
  interface Reference {
    runs: { settings: SamplerSettings; batch: number; promptIds: number[][]; written: number[][]; text: string[] }[];
  }
  const { runs } = JSON.parse(readFileSync("test/fixtures/tiny-conditional-run.json", "utf8")) as Reference;
  const alone = runs.filter(({ batch }) => batch === 1);

  it("is written to as JAX writes, and its fork goes on with it", async () => {
    expect(alone.length).toBeGreaterThan(1);
    for (const { settings: wanted, promptIds, written, text } of alone) {
      const engine = await engineWith(conditional);
      const run: Recipe = { settings: wanted, prompt: { ids: promptIds[0] as number[] } };
      const parent = await write(engine, run);
      expect(lastTokens(parent)).toEqual(written[0]);
      expect(parent.text).toBe(text[0]);
      const again = { settings: wanted, from: { run, step: 2 } };
      expect((await write(engine, again)).frames).toEqual(parent.frames.slice(2));
      expect((await write(await engineWith(conditional), again)).frames).toEqual(parent.frames.slice(2));
    }
  });

  it("may be a text", async () => {
    const engine = await engineWith(conditional);
    const text = "garden";
    const ids = await engine.tokenize(text);
    expect(ids.length).toBeGreaterThan(0);
    const wanted = { ...conditional.manifest.defaults, steps: 3 };
    const byText = await write(engine, { settings: wanted, prompt: { text } });
    const byIds = await write(engine, { settings: wanted, prompt: { ids } });
    expect(byText.frames).toEqual(byIds.frames);
    expect(byText.frames[0]?.holds.tokens).toHaveLength(10);
  });

  it.each<[string, Recipe["prompt"], RegExp]>([
    ["none", undefined, /needs a prompt/],
    ["an empty one", { text: "  " }, /needs a prompt/],
    ["one that is too long", { ids: [5, 6, 7, 8, 9, 10, 11] }, /has 7 tokens/],
    ["unknown tokens", { ids: [128] }, /names the token 128/],
  ])("is refused: %s", async (_, prompt, message) => {
    const engine = await engineWith(conditional);
    const request = { settings: { ...conditional.manifest.defaults, cfgScale: 1 }, ...(prompt ? { prompt } : {}) };
    await expect(engine.generate(request, () => {})).rejects.toThrow(ConditionError);
    await expect(engine.generate(request, () => {})).rejects.toThrow(message);
  });

  it("is refused by a model that takes none, and as a text by one without a tokenizer", async () => {
    const engine = await engineWith(tiny);
    await expect(engine.generate({ settings, prompt: { ids: [5] } }, () => {})).rejects.toThrow("takes no prompt");
    const empty = await write(engine, { settings, prompt: { ids: [] } });
    expect(empty.frames).toEqual((await write(engine, { settings })).frames);
    const { numberTokenizer } = await import("../runtime/tokenizer");
    const mute = await engineWith({ ...conditional, tokenizer: numberTokenizer(128) });
    await expect(mute.tokenize("garden")).rejects.toThrow(TokenizerError);
    const request = { settings: conditional.manifest.defaults, prompt: { text: "garden" } };
    await expect(mute.generate(request, () => {})).rejects.toThrow(TokenizerError);
  });
});

describe("a prompt that may be left out", () => {
  interface Reference {
    runs: { settings: SamplerSettings; batch: number; promptIds: number[][]; written: number[][]; text: string[] }[];
  }
  const { runs } = JSON.parse(readFileSync("test/fixtures/tiny-two-pass-run.json", "utf8")) as Reference;
  const free = runs.filter(({ batch, promptIds }) => batch === 1 && promptIds.length === 0);

  it("is not needed: JAX's very text, to the last position, and a fork of it", async () => {
    expect(free.length).toBeGreaterThan(1);
    for (const { settings: wanted, written, text } of free) {
      const engine = await engineWith(optional);
      const run: Recipe = { settings: wanted };
      const parent = await write(engine, run);
      expect(lastTokens(parent)).toEqual(written[0]);
      expect(lastTokens(parent)).toHaveLength(16);
      expect(parent.text).toBe(text[0]);
      const again = { settings: wanted, from: { run, step: 2 } };
      expect((await write(await engineWith(optional), again)).frames).toEqual(parent.frames.slice(2));
    }
  });

  it.each<[string, Recipe["prompt"]]>([
    ["a text", { text: "  " }],
    ["tokens", { ids: [] }],
  ])("is none where it is empty: %s", async (_, prompt) => {
    const wanted = { ...optional.manifest.defaults, steps: 2, cfgScale: 1 };
    const none = await write(await engineWith(optional), { settings: wanted });
    const empty = await write(await engineWith(optional), { settings: wanted, ...(prompt ? { prompt } : {}) });
    expect(empty.frames).toEqual(none.frames);
  });

  it("is guided towards where it is given, and held tokens stand behind it or anywhere", async () => {
    const engine = await engineWith(optional);
    const wanted = { ...optional.manifest.defaults, steps: 2 };
    expect(wanted.cfgScale).toBe(2);
    await expect(engine.generate({ settings: wanted }, () => {})).rejects.toThrow("no prompt to guide towards");
    const told = await write(engine, { settings: wanted, prompt: { ids: [5, 6] } });
    expect(told.frames[0]?.holds.tokens).toHaveLength(10);
    const held = [{ position: 15, token: 26 }];
    const freely = await write(engine, { settings: { ...wanted, cfgScale: 1 }, held });
    expect(lastTokens(freely)[15]).toBe(26);
    const behind = { settings: wanted, prompt: { ids: [5, 6] }, held };
    await expect(engine.generate(behind, () => {})).rejects.toThrow(ConditionError);
  });
});

describe("held tokens", () => {
  const held: HeldToken[] = [
    { position: 2, token: 64 },
    { position: 9, token: 93 },
  ];

  it("stand in every frame, and change the rest", async () => {
    const engine = await engineWith(tiny);
    const free = await write(engine, { settings });
    const run = await write(engine, { settings, held });
    for (const { holds, expects } of run.frames) {
      for (const { position, token } of held) {
        expect(holds.tokens[position]).toBe(token);
        expect(expects.tokens[position]).toBe(token);
      }
    }
    const others = (tokens: number[]) => tokens.filter((_, i) => held.every(({ position }) => position !== i));
    expect(others(lastTokens(run))).not.toEqual(others(lastTokens(free)));
  });

  it("hold on in a fork that names them, bit for bit, and let go in one that does not", async () => {
    const run: Recipe = { settings, held };
    const engine = await engineWith(tiny);
    const parent = await write(engine, run);
    const again: Recipe = { settings, held, from: { run, step: 3 } };
    expect((await write(engine, again)).frames).toEqual(parent.frames.slice(3));
    expect((await write(await engineWith(tiny), again)).frames).toEqual(parent.frames.slice(3));
    const freed = await write(engine, { settings, from: { run, step: 3 } });
    expect(freed.frames.slice(1)).not.toEqual(parent.frames.slice(4));
  });

  it("may be taken hold of in the middle, the same with and without what is remembered", async () => {
    const run: Recipe = { settings };
    const engine = await engineWith(tiny);
    const parent = await write(engine, run);
    const edited: Recipe = { settings, held, from: { run, step: 4 } };
    const fork = await write(engine, edited);
    for (const { position, token } of held) expect(fork.frames.at(-1)?.holds.tokens[position]).toBe(token);
    expect(fork.frames[0]?.holds.entropy).not.toEqual(parent.frames[4]?.holds.entropy);
    const forgotten = await write(await engineWith(tiny), { ...edited, lead: true });
    expect(forgotten.frames.slice(0, 4)).toEqual(parent.frames.slice(0, 4));
    expect(forgotten.frames.slice(4)).toEqual(fork.frames);

    const more: Recipe = { settings, held: [...held, { position: 0, token: 5 }], from: { run: edited, step: 5 } };
    expect((await write(await engineWith(tiny), more)).frames).toEqual((await write(engine, more)).frames);
  });

  it("stand after the prompt", async () => {
    const engine = await engineWith(conditional);
    const wanted = { ...conditional.manifest.defaults, steps: 3 };
    const run = await write(engine, {
      settings: wanted,
      prompt: { ids: [5, 6, 7] },
      held: [{ position: 0, token: 26 }],
    });
    expect(lastTokens(run)[0]).toBe(26);
    const behind = { settings: wanted, prompt: { ids: [5, 6, 7] }, held: [{ position: 10, token: 26 }] };
    await expect(engine.generate(behind, () => {})).rejects.toThrow(ConditionError);
  });
});

describe("frames that were not read on the way", () => {
  const wanted: SamplerSettings = { ...settings, steps: 16 };
  const run: Recipe = { settings: wanted };

  async function read(engine: Engine, recipe: Recipe, steps: readonly number[], signal?: AbortSignal) {
    const events: ReadEvent[] = [];
    await engine.read({ ...recipe, steps }, (event) => events.push(event), signal);
    const frames = events.flatMap((event) => (event.type === "frame" ? [event.frame] : []));
    return { frames, recalled: events.length - frames.length };
  }

  it("are those that would have been, from the states that are remembered, in their order and each once", async () => {
    const whole = await write(await engineWith(tiny), run);
    const engine = await engineWith(tiny);
    const paced = await write(engine, { ...run, frames: "paced" });
    expect(paced).toMatchObject({ status: "done", text: whole.text, times: whole.times });
    expect(paced.frames).toEqual([0, 8, 16].map((step) => whole.frames[step]));
    expect(await read(engine, run, [9, 3, 3, 12])).toEqual({
      frames: [3, 9, 12].map((step) => whole.frames[step]),
      recalled: 0,
    });
    expect(await read(engine, run, [])).toEqual({ frames: [], recalled: 0 });
  });

  it("cost no pass of the denoiser where the states are remembered, and one way to the last where not", async () => {
    const { model, passes } = countPasses(tiny);
    const engine = await engineWith(model);
    await write(engine, { ...run, frames: "paced" });
    expect(passes).toEqual({ denoise: 16, decode: 3 });
    await read(engine, run, [4, 5, 11]);
    // Two for each frame, of one latent: in between a signal is heard.
    expect(passes).toEqual({ denoise: 16, decode: 9 });
    const whole = await write(await engineWith(tiny), run);
    const forgotten = countPasses(tiny);
    const { frames, recalled } = await read(await engineWith(forgotten.model), run, [4, 5, 11]);
    expect(frames).toEqual([4, 5, 11].map((step) => whole.frames[step]));
    expect(recalled).toBe(3 + 5);
    expect(forgotten.passes).toEqual({ denoise: 11, decode: 6 });
  });

  it("may be a fork's and those before it", async () => {
    const fork: Recipe = { settings: { ...wanted, method: "ode", steps: 9 }, from: { run, step: 6 } };
    const whole = await write(await engineWith(tiny), { ...fork, lead: true });
    const engine = await engineWith(tiny);
    const paced = await write(engine, { ...fork, frames: "paced" });
    expect(paced.frames[0]).toEqual(whole.frames[6]);
    expect(paced.frames.at(-1)).toEqual(whole.frames.at(-1));
    const steps = [0, 5, 6, 7];
    for (const one of [engine, await engineWith(tiny)]) {
      expect((await read(one, fork, steps)).frames).toEqual(steps.map((step) => whole.frames[step]));
    }
  });

  it("come by halves where somebody waits for one, the half looked at in a pass of its own", async () => {
    const whole = await write(await engineWith(tiny), run);
    const { model, passes } = countPasses(tiny);
    const engine = await engineWith(model);
    await write(engine, { ...run, frames: "paced" });
    const decoded: number[] = [];
    const frames: Frame[] = [];
    await engine.read({ ...run, steps: [5], first: "expects" }, (event) => {
      decoded.push(passes.decode);
      if (event.type === "frame") frames.push(event.frame);
    });
    expect(decoded).toEqual([4, 5]);
    expect(frames[0]?.awaits).toBe("holds");
    expect(frames[0]?.expects).toEqual(whole.frames[5]?.expects);
    expect(frames[1]).toEqual(whole.frames[5]);
    // Whoever looks away in between is not kept waiting for the other half.
    const halved = new AbortController();
    await engine.read({ ...run, steps: [6], first: "holds" }, () => halved.abort(), halved.signal);
    expect(passes.decode).toBe(6);
    // Nor for the frames after it, though nothing has to be written again for them; the message comes in a task of its own.
    const late = new AbortController();
    const came: ReadEvent[] = [];
    const hear = (event: ReadEvent) => {
      came.push(event);
      setImmediate(() => late.abort());
    };
    await engine.read({ ...run, steps: [9, 10, 11, 12, 13] }, hear, late.signal);
    expect(came.length).toBeLessThan(4);
  });

  it("end where the signal says so, and are refused where there are none", async () => {
    const engine = await engineWith(tiny);
    const abort = new AbortController();
    const steps: number[] = [];
    const stop = (event: ReadEvent) => {
      if (event.type === "frame" && steps.push(event.frame.step) === 2) abort.abort();
    };
    await engine.read({ ...run, steps: [1, 2, 3, 9] }, stop, abort.signal);
    expect(steps).toEqual([1, 2]);
    expect((await read(engine, run, [1], AbortSignal.abort())).frames).toEqual([]);
    for (const step of [-1, 17, 1.5]) await expect(read(engine, run, [step])).rejects.toThrow(/no frame/);
    await expect(read(engine, { settings: { ...wanted, steps: 0 } }, [0])).rejects.toThrow(SettingsError);
  });
});

describe("where every position was", () => {
  const run: Recipe = { settings };
  const paths = (engine: Engine, recipe: Recipe, frames: number, signal?: AbortSignal) =>
    engine.paths(recipe, frames, () => {}, signal);

  it("is found without a pass where the states are remembered, and the same where they are not", async () => {
    const { model, passes } = countPasses(tiny);
    const engine = await engineWith(model);
    await write(engine, run);
    const before = { ...passes };
    const found = await paths(engine, run, 7);
    expect(passes).toEqual(before);
    // tiny-model brings no directions along.
    expect(found).toMatchObject({ basis: "run", length: 16 });
    expect(found && framesOf(found)).toBe(7);
    expect(found?.expects.slice(0, 32)).toEqual(found?.holds.slice(0, 32));
    expect(found?.expects.slice(32)).not.toEqual(found?.holds.slice(32));
    expect(await paths(await engineWith(tiny), run, 7)).toEqual(found);
  });

  it("is told in the directions of the model, where it has them", async () => {
    const { latentSize } = tiny.network;
    const axis = (at: number) => Array.from({ length: latentSize }, (_, d) => (d === at ? 1 : 0));
    const basis = { mean: axis(-1), directions: [axis(2), axis(0)] as [number[], number[]], reach: 50 };
    const { manifest } = tiny;
    const model = { ...tiny, manifest: { ...manifest, latent: { ...manifest.latent, basis } } };
    const memory = new RunMemory();
    const plan = planRecipe(model, run);
    await followRun(writeRun(model, plan, { memory }), () => {});
    const end = memory.recall(plan.key)?.states.keptBefore(6);
    const found = await followRun(findPaths(model, plan, 7, { memory }), () => {});
    expect(found?.basis).toBe("model");
    const places = (latents: Float32Array | undefined) =>
      Array.from({ length: 32 }, (_, i) =>
        Math.round(20 * (latents?.[Math.floor(i / 2) * latentSize + (i % 2 === 0 ? 2 : 0)] ?? 0)),
      );
    expect(Array.from(found?.holds.slice(-32) ?? [])).toEqual(places(end?.z));
    expect(Array.from(found?.expects.slice(-32) ?? [])).toEqual(places(end?.prediction));
  });

  it("is that of the text behind a prompt, of a fork from noise on, and of as many frames as a stopped run has", async () => {
    const fork: Recipe = { settings: { ...settings, method: "ode", steps: 9 }, from: { run, step: 2 } };
    const engine = await engineWith(tiny);
    const { times } = await write(engine, { ...fork, lead: true });
    const whole = await paths(engine, fork, times.length);
    expect(whole && framesOf(whole)).toBe(times.length);
    const few = await paths(engine, fork, 2);
    expect(few && framesOf(few)).toBe(2);
    const wanted = { ...conditional.manifest.defaults, steps: 2 };
    const prompted = await paths(await engineWith(conditional), { settings: wanted, prompt: { ids: [5, 6, 7] } }, 3);
    const { frames } = await write(await engineWith(conditional), { settings: wanted, prompt: { ids: [5, 6, 7] } });
    expect(prompted?.length).toBe(frames[0]?.holds.tokens.length);
  });

  it("is none where the signal says so, and refused where there are no such frames", async () => {
    const engine = await engineWith(tiny);
    expect(await paths(engine, run, 7, AbortSignal.abort())).toBeNull();
    const abort = new AbortController();
    const stopped = engine.paths(run, 7, () => abort.abort(), abort.signal);
    expect(await stopped).toBeNull();
    for (const frames of [0, 8, 1.5]) await expect(paths(engine, run, frames)).rejects.toThrow(SettingsError);
  });
});

describe("a run without an engine", () => {
  it("reads the text alone where only that is wanted, in one pass of the decoder", async () => {
    const { model, passes } = countPasses(tiny);
    const plan = planRecipe(model, { settings });
    const told: string[] = [];
    const brief = await followRun(writeRun(model, plan, { frames: "last" }), ({ type }) => told.push(type));
    expect(told).toEqual(["start", "frame"]);
    expect(passes).toEqual({ denoise: 6, decode: 1 });
    const whole = await followRun(writeRun(model, plan), () => {});
    expect(brief).toMatchObject({ status: "done", text: whole.text, tokens: whole.tokens });
    expect(whole.tokens).toHaveLength(16);
    expect(passes.decode).toBe(1 + 7);
  });

  it("is an iterator of its events, which goes no further than it is asked to", async () => {
    const { model, passes } = countPasses(tiny);
    for await (const event of writeRun(model, planRecipe(model, { settings }))) {
      if (event.type === "frame" && event.frame.step === 2) break;
    }
    expect(passes.denoise).toBe(2);
  });

  it("tells the tokens of its prompt, too", async () => {
    const wanted = { ...conditional.manifest.defaults, steps: 2 };
    const plan = planRecipe(conditional, { settings: wanted, prompt: { ids: [5, 6, 7] } });
    const { tokens } = await followRun(writeRun(conditional, plan, { frames: "last" }), () => {});
    expect(tokens).toHaveLength(wanted.length);
  });
});
