import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { CancelledError, ConditionError, SettingsError } from "../flow/errors";
import type { DenoiseInput, Reading } from "../flow/network";
import type { Recipe } from "../flow/recipe";
import { parseManifest } from "../format/manifest";
import type { Model } from "../runtime/load";
import { numberTokenizer } from "../runtime/tokenizer";
import { NOT_BEGUN, type ReadRequest, type RunEvent, type RunRequest } from "./api";
import { Engine, type Loader } from "./engine";
import { NoModelError } from "./errors";

const manifest = parseManifest(readFileSync("test/fixtures/tiny-model/manifest.json", "utf8"));
const settings = { ...manifest.defaults, steps: 6, length: 3 };
const long = { settings: { ...settings, steps: 1000 } };
const request = { baseUrl: "models/fake/", backend: "wasm" } as const;

/** Reads every latent as the tokens 5, 6 and end-of-sequence. */
function fakeModel(): Model & { network: { dispose: ReturnType<typeof vi.fn> } } {
  const reading: Reading = {
    tokens: Int32Array.of(5, 6, manifest.tokens.eos),
    entropy: new Float32Array(3),
    topTokens: Int32Array.of(5, 6, 1),
    topProbabilities: new Float32Array(3).fill(1),
  };
  const network = {
    latentSize: 4,
    takesSelfCondScale: true,
    encode: async () => [],
    denoise: async ({ z }: DenoiseInput) => z.map((x) => x / 2),
    decode: async (latents: readonly Float32Array[]) => latents.map(() => reading),
    dispose: vi.fn(async () => {}),
  };
  return {
    manifest,
    dtype: "f32",
    lasting: true,
    tokenizer: numberTokenizer(128),
    network,
    backend: "wasm",
    variant: "plain",
    threads: 1,
    reason: "A test.",
  };
}

async function loaded(model = fakeModel()): Promise<Engine> {
  const engine = new Engine(async () => model);
  await engine.load(request, () => {});
  return engine;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

describe("Engine", () => {
  it("says what it loaded", async () => {
    const engine = new Engine(async () => fakeModel());
    const { pieces, ...rest } = await engine.load(request, () => {});
    expect(rest).toEqual({
      manifest,
      dtype: "f32",
      backend: "wasm",
      variant: "plain",
      threads: 1,
      backendReason: "A test.",
      lasting: true,
    });
    expect(pieces).toHaveLength(128);
  });

  it("streams the times first, then every frame, and ends with the text cut at its end", async () => {
    const engine = await loaded();
    const events: RunEvent[] = [];
    const result = await engine.generate({ settings }, (event) => events.push(event));
    expect(events[0]).toMatchObject({ type: "start" });
    expect(events[0]?.type === "start" && events[0].times).toHaveLength(7);
    const steps = events.slice(1).map((event) => event.type === "frame" && event.frame.step);
    expect(steps).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(result).toMatchObject({ status: "done", text: "5 6" });
  });

  it("keeps the frames of a run that is ended from outside, between two passes", async () => {
    const engine = await loaded();
    const events: RunEvent[] = [];
    const abort = new AbortController();
    const running = engine.generate(long, (event) => events.push(event), abort.signal);
    // A message of the page arrives as a task of its own: it has to find a gap.
    setTimeout(() => abort.abort(), 20);
    const result = await running;
    expect(result).toMatchObject({ status: "cancelled", text: "5 6" });
    expect(events.length).toBeGreaterThan(1);
    expect(events.length).toBeLessThan(1000);
    expect(await engine.generate({ settings }, () => {})).toMatchObject({ status: "done" });
  });

  const around = { settings, from: { run: {} as Recipe, step: 0 } };
  around.from.run = around;
  it.each<[string, unknown, typeof SettingsError | typeof ConditionError]>([
    ["nothing", undefined, SettingsError],
    ["no settings", {}, SettingsError],
    ["a curve that is a text", { settings: { ...settings, gammaCurve: "0=1" } }, SettingsError],
    ["a prompt that is a text", { settings, prompt: "Hello" }, ConditionError],
    ["a prompt of nothing", { settings, prompt: {} }, ConditionError],
    ["tokens that are no list", { settings, prompt: { ids: 5 } }, ConditionError],
    ["held tokens that are no list", { settings, held: {} }, ConditionError],
    ["a held token that is none", { settings, held: [null] }, ConditionError],
    ["a held place that is no number", { settings, held: [{ position: 1n, token: 5 }] }, ConditionError],
    ["no text to go back from", { settings, back: {} }, SettingsError],
    ["more text to go back from than memory has", { settings, back: { ids: { length: 2 ** 32 } } }, SettingsError],
    ["a fork of nothing", { settings, from: { step: 1 } }, SettingsError],
    ["a fork of a run without settings", { settings, from: { run: {}, step: 1 } }, SettingsError],
    ["a fork of itself", around, SettingsError],
  ])("names what is wrong with a request, while a model loads as well: %s", async (_, asked, Named) => {
    const wrong = asked as RunRequest;
    const engine = await loaded();
    await expect(engine.generate(wrong, () => {})).rejects.toThrow(Named);
    await expect(engine.read(wrong as ReadRequest, () => {})).rejects.toThrow(Named);
    await expect(engine.paths(wrong, 1, () => {})).rejects.toThrow(Named);
    const loading = engine.load(request, () => {});
    await expect(engine.generate(wrong, () => {})).rejects.toThrow(Named);
    await loading;
  });

  it("names frames that are no list, and a text that is none", async () => {
    const engine = await loaded();
    for (const steps of [undefined, 5]) {
      const wrong = { settings, steps } as unknown as ReadRequest;
      await expect(engine.read(wrong, () => {})).rejects.toThrow(SettingsError);
    }
    await expect(engine.tokenize(5 as unknown as string)).rejects.toThrow(ConditionError);
  });

  it("writes the runs of several callers in turn, and never mixes two", async () => {
    const engine = await loaded();
    const told: string[] = [];
    const runs = ["first", "second", "third"].map((name) =>
      engine.generate({ settings }, ({ type }) => told.push(`${name} ${type}`)),
    );
    for (const run of runs) expect(await run).toMatchObject({ status: "done", text: "5 6" });
    const own = (name: string) => [`${name} start`, ...Array<string>(7).fill(`${name} frame`)];
    expect(told).toEqual([...own("first"), ...own("second"), ...own("third")]);
  });

  it("ends the run whose signal says so and no other; one that waits answers at once", async () => {
    const engine = await loaded();
    const aborts = [1, 2].map(() => new AbortController());
    const told: string[] = [];
    const first = engine.generate(long, () => told.push("first"), aborts[0]?.signal);
    const second = engine.generate(long, () => told.push("second"), aborts[1]?.signal);
    const third = engine.generate({ settings }, () => told.push("third"));
    while (told.length < 3) await pause();
    aborts[1]?.abort();
    expect(await second).toEqual(NOT_BEGUN);
    // The one before it goes on, and the one after it still waits for that.
    const before = told.length;
    while (told.length < before + 3) await pause();
    expect(told).not.toContain("third");
    aborts[0]?.abort();
    expect(await first).toMatchObject({ status: "cancelled", text: "5 6" });
    expect(await third).toMatchObject({ status: "done" });
    expect(told).not.toContain("second");
  });

  it("does nothing for a request that was ended before it was made", async () => {
    const engine = await loaded();
    const onEvent = vi.fn();
    expect(await engine.generate({ settings }, onEvent, AbortSignal.abort())).toMatchObject({ status: "cancelled" });
    expect(onEvent).not.toHaveBeenCalled();
  });

  it("reads a prompt once for each request", async () => {
    const model = fakeModel();
    const architecture = { ...manifest.architecture, maxInputLength: 4 };
    const encode = vi.fn(() => [5, 6]);
    const conditional = { ...manifest, architecture };
    const engine = await loaded({ ...model, manifest: conditional, tokenizer: { ...model.tokenizer, encode } });
    model.network.encode = async () => [new Float32Array(8)] as never;
    await engine.generate({ settings, prompt: { text: "a cat" } }, () => {});
    expect(encode).toHaveBeenCalledOnce();
  });

  it("loads another model when the runs before it have ended, and frees the first then", async () => {
    const model = fakeModel();
    const engine = await loaded(model);
    const running = engine.generate({ settings }, () => {});
    let inPass = false;
    model.network.denoise = async ({ z }) => {
      inPass = true;
      await pause();
      inPass = false;
      return z;
    };
    model.network.dispose.mockImplementation(async () => expect(inPass).toBe(false));
    while (!inPass) await pause();
    await engine.load(request, () => {});
    expect(await running).toMatchObject({ status: "done" });
    expect(model.network.dispose).toHaveBeenCalledOnce();
    expect(await engine.generate({ settings }, () => {})).toMatchObject({ status: "done" });
  });

  it("ends a load by its signal; a run waits for a load", async () => {
    const loader: Loader = (_, { signal }) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(new CancelledError()));
        setTimeout(() => resolve(fakeModel()), 10);
      });
    const engine = new Engine(loader);
    const aborts = [1, 2].map(() => new AbortController());
    const first = engine.load(request, () => {}, aborts[0]?.signal);
    const second = engine.load(request, () => {}, aborts[1]?.signal);
    const third = engine.load(request, () => {});
    const run = engine.generate({ settings }, () => {});
    for (const abort of aborts) abort.abort();
    await expect(first).rejects.toThrow(CancelledError);
    await expect(second).rejects.toThrow(CancelledError);
    expect((await third).backend).toBe("wasm");
    expect(await run).toMatchObject({ status: "done" });
  });

  it("lets a run go on when what is asked for cannot run", async () => {
    const engine = await loaded();
    const running = engine.generate({ settings }, () => {});
    await expect(engine.generate({ settings: { ...settings, steps: 0 } }, () => {})).rejects.toThrow(SettingsError);
    expect(await running).toMatchObject({ status: "done" });
  });

  it("refuses settings the model cannot run, and stays usable", async () => {
    const engine = await loaded();
    await expect(engine.generate({ settings: { ...settings, length: 17 } }, () => {})).rejects.toThrow(SettingsError);
    expect(await engine.generate({ settings }, () => {})).toMatchObject({ status: "done" });
  });

  it("has nothing to run before a load, after a failed one, and after dispose", async () => {
    const failing = new Engine(() => Promise.reject(new CancelledError()));
    await expect(failing.generate({ settings }, () => {})).rejects.toThrow(NoModelError);
    await expect(failing.load(request, () => {})).rejects.toThrow(CancelledError);
    await expect(failing.generate({ settings }, () => {})).rejects.toThrow(NoModelError);
    const engine = await loaded();
    await engine.dispose();
    await expect(engine.generate({ settings }, () => {})).rejects.toThrow(NoModelError);
  });

  it("frees a model before the next one is loaded", async () => {
    const first = fakeModel();
    const loader = vi.fn<Loader>().mockResolvedValueOnce(first);
    loader.mockImplementationOnce(async () => {
      expect(first.network.dispose).toHaveBeenCalledOnce();
      return fakeModel();
    });
    const engine = new Engine(loader);
    await engine.load(request, () => {});
    await engine.load(request, () => {});
    expect(loader).toHaveBeenCalledTimes(2);
  });

  it("ends all runs before it frees the model under them", async () => {
    const model = fakeModel();
    const engine = await loaded(model);
    const running = [1, 2].map(() => engine.generate(long, () => {}));
    await engine.dispose();
    for (const run of running) expect(await run).toMatchObject({ status: "cancelled" });
    expect(model.network.dispose).toHaveBeenCalledOnce();
  });
});
