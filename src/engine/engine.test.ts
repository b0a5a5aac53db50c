import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { CancelledError, SettingsError } from "../flow/errors";
import type { DenoiseInput, Reading } from "../flow/network";
import type { Model } from "../model/load";
import { parseManifest } from "../model/manifest";
import { numberTokenizer } from "../model/tokenizer";
import { Engine, type Loader } from "./engine";
import { NoModelError } from "./errors";
import type { RunEvent } from "./protocol";

const manifest = parseManifest(readFileSync("test/fixtures/tiny-model/manifest.json", "utf8"));
const settings = { ...manifest.defaults, steps: 6, length: 3 };
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
    label: "WASM · 1 thread",
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
      backendLabel: "WASM · 1 thread",
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

  it("keeps the frames of a run that is cancelled from outside, between two passes", async () => {
    const engine = await loaded();
    const events: RunEvent[] = [];
    const running = engine.generate({ settings: { ...settings, steps: 1000 } }, (event) => events.push(event));
    // A message of the page arrives as a task of its own: it has to find a gap.
    setTimeout(() => void engine.cancel(), 20);
    const result = await running;
    expect(result).toMatchObject({ status: "cancelled", text: "5 6" });
    expect(events.length).toBeGreaterThan(1);
    expect(events.length).toBeLessThan(1000);
    expect(await engine.generate({ settings }, () => {})).toMatchObject({ status: "done" });
  });

  it("ends a run when the next is asked for, keeps its frames, and never mixes the two", async () => {
    const engine = await loaded();
    const told: string[] = [];
    const first = engine.generate({ settings: { ...settings, steps: 1000 } }, ({ type }) => told.push(`first ${type}`));
    while (told.length < 3) await pause();
    const second = engine.generate({ settings: { ...settings, steps: 1000 } }, ({ type }) =>
      told.push(`second ${type}`),
    );
    const third = engine.generate({ settings }, ({ type }) => told.push(`third ${type}`));
    expect(await first).toMatchObject({ status: "cancelled", text: "5 6" });
    expect(await second).toMatchObject({ status: "cancelled", text: "" });
    expect(await third).toMatchObject({ status: "done", text: "5 6" });
    const start = told.indexOf("third start");
    expect(told.slice(0, start).every((event) => event.startsWith("first"))).toBe(true);
    expect(told.slice(start)).toEqual(["third start", ...Array(7).fill("third frame")]);
  });

  it("ends a run when another model is asked for, and frees the first model after it", async () => {
    const model = fakeModel();
    const engine = await loaded(model);
    const running = engine.generate({ settings: { ...settings, steps: 1000 } }, () => {});
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
    expect(await running).toMatchObject({ status: "cancelled" });
    expect(model.network.dispose).toHaveBeenCalledOnce();
    expect(await engine.generate({ settings }, () => {})).toMatchObject({ status: "done" });
  });

  it("ends a load when the next is asked for; a run waits for a load", async () => {
    const loader: Loader = (_, { signal }) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(new CancelledError()));
        setTimeout(() => resolve(fakeModel()), 10);
      });
    const engine = new Engine(loader);
    const first = engine.load(request, () => {});
    const never = engine.generate({ settings }, () => {});
    const second = engine.load(request, () => {});
    const third = engine.load(request, () => {});
    const run = engine.generate({ settings }, () => {});
    await expect(first).rejects.toThrow(CancelledError);
    expect(await never).toMatchObject({ status: "cancelled" });
    await expect(second).rejects.toThrow(CancelledError);
    expect((await third).backend).toBe("wasm");
    expect(await run).toMatchObject({ status: "done" });
  });

  it("cancels what waits as well", async () => {
    const engine = await loaded();
    const running = [1, 2].map(() => engine.generate({ settings: { ...settings, steps: 1000 } }, () => {}));
    await engine.cancel();
    for (const run of running) expect(await run).toMatchObject({ status: "cancelled" });
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

  it("cancels a load through its signal", async () => {
    const loader: Loader = (_, { signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new CancelledError())));
    const engine = new Engine(loader);
    const loading = engine.load(request, () => {});
    setTimeout(() => void engine.cancel());
    await expect(loading).rejects.toThrow(CancelledError);
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

  it("ends a run before it frees the model under it", async () => {
    const model = fakeModel();
    const engine = await loaded(model);
    const running = engine.generate({ settings: { ...settings, steps: 1000 } }, () => {});
    await engine.dispose();
    expect(await running).toMatchObject({ status: "cancelled" });
    expect(model.network.dispose).toHaveBeenCalledOnce();
  });
});
