import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ConditionError,
  type ElfModel,
  fork,
  generate,
  type LoadProgress,
  loadModel,
  readTrace,
  SettingsError,
  scheduleTimes,
  type TextFrame,
} from "./node";

const folder = (name: string) => join(import.meta.dirname, "../../test/fixtures", name);
const STEPS = 6;
let model: ElfModel;
const phases: LoadProgress["phase"][] = [];

beforeAll(async () => {
  model = await loadModel(folder("tiny-conditional"), { onProgress: ({ phase }) => phases.push(phase) });
});

afterAll(() => model.dispose());

async function framesOf(run: AsyncIterable<TextFrame>): Promise<TextFrame[]> {
  const frames: TextFrame[] = [];
  for await (const frame of run) frames.push(frame);
  return frames;
}

describe("loadModel in Node", () => {
  it("loads a folder by its path, tells how far it is, and says what it runs on", () => {
    expect(new Set(phases)).toEqual(new Set(["manifest", "download", "weights", "session", "check"]));
    expect(model).toMatchObject({ backend: "wasm", backendLabel: "WASM · 1 thread" });
    expect(model.manifest.name).toBe("tiny-conditional");
  });

  it("takes a file: address as well", async () => {
    const other = await loadModel(pathToFileURL(folder("tiny-model")));
    expect(other.manifest.name).toBe("tiny-model");
    await other.dispose();
  });

  it("refuses what is no model by name", async () => {
    await expect(loadModel("./nowhere")).rejects.toMatchObject({ name: "SourceError", action: /elf export/ });
    await expect(loadModel("file:///nowhere")).rejects.toMatchObject({ name: "SourceError" });
    await expect(loadModel(folder("tiny-model"), { backend: "webgpu" })).rejects.toMatchObject({
      name: "NoWebGpuError",
    });
  });

  it("can be ended", async () => {
    const signal = AbortSignal.abort();
    await expect(loadModel(folder("tiny-model"), { signal })).rejects.toMatchObject({ name: "CancelledError" });
  });
});

describe("generate", () => {
  const prompt = "garden";
  const settings = { steps: STEPS, seed: 7 };

  it("gives every frame from noise to text, and the same text for the same seed", async () => {
    const run = generate({ model, prompt, settings });
    const frames = await framesOf(run);
    expect(frames.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(frames.map(({ t }) => t)).toEqual(run.times);
    const { text, status } = await run.finish();
    expect(status).toBe("done");
    expect(text).toBe(frames.at(-1)?.text);
    const again = await generate({ model, prompt, settings, frames: "last" }).finish();
    expect(again.text).toBe(text);
    expect(again.tokens).toEqual((await run.finish()).tokens);
  });

  it("is followed and finished at once, whoever is through first", () => {
    // In a process of its own: where both wait for each other no timer of this one would end it.
    const script = `
      import { generate, loadModel } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, "node.ts")).href)};
      const model = await loadModel(${JSON.stringify(folder("tiny-conditional"))});
      for (const steps of [3, 4, 5, 6]) for (const left of [1, 9]) {
        const run = generate({ model, prompt: "garden", settings: { steps, seed: 7 } });
        const finished = run.finish();
        for await (const { step } of run) if (step >= left) break;
        const { status } = await finished;
        console.log(steps, left, status, status === (await run.finish()).status);
      }
      await model.dispose();`;
    const words = ["--import", "tsx", "--input-type", "module", "--eval", script];
    const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: "utf8", timeout: 60_000 });
    const lines = [3, 4, 5, 6].flatMap((steps) => [`${steps} 1 done true`, `${steps} 9 done true`]);
    expect(stdout.trim().split("\n"), stderr).toEqual(lines);
  }, 90_000);

  it("has no file of a run that ended before its first frame", async () => {
    const run = generate({ model, prompt, signal: AbortSignal.abort() });
    await expect(run.trace()).rejects.toMatchObject({ name: "CancelledError" });
    expect((await run.finish()).status).toBe("cancelled");
  });

  it("takes its times from the schedule that is exported", async () => {
    const run = generate({ model, prompt, settings });
    expect(run.times).toEqual(Array.from(scheduleTimes(run.recipe.settings, model.manifest.schedule)));
  });

  it("left in the middle it is cancelled, keeps what it has, and holds nobody up", async () => {
    const run = generate({ model, prompt, settings });
    for await (const { step } of run) if (step === 2) break;
    const { status, trajectory } = await run.finish();
    expect(status).toBe("cancelled");
    expect(trajectory.frames).toHaveLength(3);
    expect((await generate({ model, prompt, settings, frames: "last" }).finish()).status).toBe("done");
  });

  it("ends by its signal", async () => {
    const controller = new AbortController();
    const run = generate({ model, prompt, settings, signal: controller.signal });
    for await (const { step } of run) if (step === 1) controller.abort();
    expect((await run.finish()).status).toBe("cancelled");
  });

  it("two at once are written in turn, each as it would be alone", async () => {
    const texts = await Promise.all(
      [7, 8].map((seed) => generate({ model, prompt, settings: { ...settings, seed } }).finish()),
    );
    const alone = await generate({ model, prompt, settings: { ...settings, seed: 8 }, frames: "last" }).finish();
    expect(texts[1]?.text).toBe(alone.text);
  });

  it("goes on from a step, bit for bit, or with a word held", async () => {
    const parent = await generate({ model, prompt, settings }).finish();
    const same = await generate({ model, from: fork(parent, 3) }).finish();
    expect(same.tokens).toEqual(parent.tokens);
    const held = [{ position: 0, token: 9 }];
    const other = await generate({ model, from: fork(parent, 3), held }).finish();
    expect(other.trajectory.frames.at(-1)?.holds.tokens[0]).toBe(9);
    expect(other.trajectory.frames).toHaveLength(STEPS + 1);
  });

  it("writes a recording that it can go on from", async () => {
    const run = generate({ model, prompt, settings });
    const { trajectory, text } = readTrace(await run.trace());
    expect(text).toBe((await run.finish()).text);
    const same = await generate({ model, from: fork(trajectory, 2), frames: "last" }).finish();
    expect(same.text).toBe(text);
    await expect(generate({ model, prompt, settings, frames: "last" }).trace()).rejects.toThrow(SettingsError);
  });

  it("writes freely to a blank prompt by a model that can, unless it is to be guided all the same", async () => {
    const optional = await loadModel(folder("tiny-two-pass"));
    expect(optional.manifest.defaults.cfgScale).toBe(2);
    const { text } = await generate({ model: optional, settings, frames: "last" }).finish();
    for (const blank of ["", " ", { text: " " }, { ids: [] }]) {
      const run = generate({ model: optional, prompt: blank, settings, frames: "last" });
      expect(run.recipe).toEqual({ settings: { ...optional.manifest.defaults, ...settings, cfgScale: 1 } });
      expect((await run.finish()).text).toBe(text);
    }
    expect(() => generate({ model: optional, prompt: "", settings: { cfgScale: 2 } })).toThrow(SettingsError);
    expect(() => generate({ model, prompt: "" })).toThrow(ConditionError);
    await optional.dispose();
  });

  it("refuses at once what cannot be run", () => {
    expect(() => generate({ model, prompt, settings: { steps: 0 } })).toThrow(SettingsError);
    expect(() => generate({ model })).toThrow(ConditionError);
    expect(() => generate({ model, prompt, held: [{ position: 999, token: 1 }] })).toThrow(ConditionError);
  });
});

describe("a model's other half", () => {
  it("reads a text as tokens and as latents", async () => {
    const tokens = model.tokenize("garden");
    expect(model.detokenize(tokens)).toBe("garden");
    const latents = await model.encode("garden");
    expect(latents).toHaveLength(tokens.length * model.loaded.network.latentSize);
  });

  it("takes a text back to noise, and forward again", async () => {
    const { start, end, error } = await model.reverse("garden", { steps: 4 });
    expect(start.t).toBe(0);
    expect(end.t).toBe(1);
    expect(Number.isFinite(error)).toBe(true);
    await expect(model.reverse("garden ".repeat(500))).rejects.toThrow(ConditionError);
    for (const steps of [1.5, 0, -1, Number.NaN, 1025]) {
      await expect(model.reverse("garden", { steps })).rejects.toThrow(SettingsError);
    }
    // The way back is that of the ODE, whatever the run was written by.
    await model.reverse("garden", { steps: 1, method: "sde", solver: "multistep" });
  });
});

it("a file that is not what its manifest says is refused by name", async () => {
  const broken = mkdtempSync(join(tmpdir(), "elf-broken-"));
  writeFileSync(join(broken, "manifest.json"), readFileSync(join(folder("tiny-model"), "manifest.json")));
  await expect(loadModel(broken)).rejects.toMatchObject({ name: "MissingFileError" });
  rmSync(broken, { recursive: true });
});
