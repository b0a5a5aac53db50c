import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { CancelledError, SettingsError } from "../flow/errors";
import type { DenoiseInput, Reading } from "../flow/network";
import type { Model } from "../model/load";
import { parseManifest } from "../model/manifest";
import { numberTokenizer } from "../model/tokenizer";
import { Engine, type Loader } from "./engine";
import { EngineBusyError, NoModelError } from "./errors";
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
  return { manifest, tokenizer: numberTokenizer(128), network, backend: "wasm", reason: "A test." };
}

async function loaded(model = fakeModel()): Promise<Engine> {
  const engine = new Engine(async () => model);
  await engine.load(request, () => {});
  return engine;
}

describe("Engine", () => {
  it("says what it loaded", async () => {
    const engine = new Engine(async () => fakeModel());
    const { pieces, ...rest } = await engine.load(request, () => {});
    expect(rest).toEqual({ manifest, backend: "wasm", backendReason: "A test." });
    expect(pieces).toHaveLength(128);
  });

  it("streams the times first, then every frame, and ends with the text cut at its end", async () => {
    const engine = await loaded();
    const events: RunEvent[] = [];
    const result = await engine.generate(settings, (event) => events.push(event));
    expect(events[0]).toMatchObject({ type: "start" });
    expect(events[0]?.type === "start" && events[0].times).toHaveLength(7);
    const steps = events.slice(1).map((event) => event.type === "frame" && event.frame.step);
    expect(steps).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(result).toMatchObject({ status: "done", text: "5 6" });
  });

  it("keeps the frames of a run that is cancelled from outside, between two passes", async () => {
    const engine = await loaded();
    const events: RunEvent[] = [];
    const running = engine.generate({ ...settings, steps: 1000 }, (event) => events.push(event));
    // A message of the page arrives as a task of its own: it has to find a gap.
    setTimeout(() => void engine.cancel(), 20);
    const result = await running;
    expect(result).toMatchObject({ status: "cancelled", text: "5 6" });
    expect(events.length).toBeGreaterThan(1);
    expect(events.length).toBeLessThan(1000);
    expect(await engine.generate(settings, () => {})).toMatchObject({ status: "done" });
  });

  it("refuses a second run or load and lets the first one end", async () => {
    const engine = await loaded();
    const running = engine.generate(settings, () => {});
    await expect(engine.generate(settings, () => {})).rejects.toThrow(EngineBusyError);
    await expect(engine.load(request, () => {})).rejects.toThrow(EngineBusyError);
    expect(await running).toMatchObject({ status: "done" });
  });

  it("refuses settings the model cannot run, and stays usable", async () => {
    const engine = await loaded();
    await expect(engine.generate({ ...settings, length: 17 }, () => {})).rejects.toThrow(SettingsError);
    expect(await engine.generate(settings, () => {})).toMatchObject({ status: "done" });
  });

  it("has nothing to run before a load, after a failed one, and after dispose", async () => {
    const failing = new Engine(() => Promise.reject(new CancelledError()));
    await expect(failing.generate(settings, () => {})).rejects.toThrow(NoModelError);
    await expect(failing.load(request, () => {})).rejects.toThrow(CancelledError);
    await expect(failing.generate(settings, () => {})).rejects.toThrow(NoModelError);
    const engine = await loaded();
    await engine.dispose();
    await expect(engine.generate(settings, () => {})).rejects.toThrow(NoModelError);
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
    const running = engine.generate({ ...settings, steps: 1000 }, () => {});
    await engine.dispose();
    expect(await running).toMatchObject({ status: "cancelled" });
    expect(model.network.dispose).toHaveBeenCalledOnce();
  });
});
