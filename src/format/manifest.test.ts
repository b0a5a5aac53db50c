import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { flowConstants, ManifestError, ManifestVersionError, parseManifest } from "./manifest";

const text = readFileSync("test/fixtures/tiny-model/manifest.json", "utf8");

/** The tiny model's manifest with one change made to it. */
function changed(change: (manifest: never) => void): string {
  const manifest = JSON.parse(text);
  change(manifest as never);
  return JSON.stringify(manifest);
}

/** Gives a manifest presets of these settings. */
function offering(...all: object[]): (manifest: Record<string, unknown>) => void {
  const presets = all.map((settings) => ({ name: "Careful", note: "Twice as long", settings }));
  return (manifest) => Object.assign(manifest, { presets });
}

describe("parseManifest", () => {
  it("reads what elf export writes", () => {
    const manifest = parseManifest(text);
    expect(manifest.name).toBe("tiny-model");
    expect(manifest.architecture.latentSize).toBe(32);
    expect(manifest.defaults.steps).toBe(16);
  });

  it.each(["condition", "zero"])("reads what x̂ starts with: %s", (selfCondStart) => {
    const told = changed((manifest: object) => Object.assign(manifest, { selfCondStart }));
    expect(flowConstants(parseManifest(told))).toEqual({
      noiseScale: 1,
      tEps: 0.05,
      pMean: -1.5,
      pStd: 0.8,
      selfCondStart,
    });
  });

  it.each<[string, object, object, string]>([
    ["a training of this project", {}, {}, "zero"],
    ["an official checkpoint", { source: { repository: "a/b", revision: "c" } }, {}, "condition"],
    ["an official checkpoint without a record", {}, { mean: 0, std: 0.2 }, "condition"],
  ])("knows what x̂ started with in %s where version 2 does not say", (_, fields, latent, start) => {
    const older = changed((manifest: Record<string, object>) => {
      Object.assign(manifest, { schemaVersion: 2, ...fields });
      Object.assign(manifest.latent ?? {}, latent);
      delete manifest.selfCondStart;
    });
    expect(parseManifest(older).selfCondStart).toBe(start);
  });

  it("reads what older files were silent of: prompts, guidance and solvers", () => {
    const older = changed((manifest: Record<string, Record<string, unknown>>) => {
      for (const field of ["maxInputLength", "selfCondCfgTokens"]) delete manifest.architecture?.[field];
      for (const field of ["cfgScale", "solver"]) delete manifest.defaults?.[field];
    });
    const { architecture, defaults } = parseManifest(older);
    expect(architecture).toMatchObject({ maxInputLength: 0, selfCondCfgTokens: 4 });
    expect(defaults).toMatchObject({ cfgScale: 1, solver: "euler" });
  });

  it("reads what is said of prompts, and in older files is not", () => {
    const plain = parseManifest(text);
    expect([plain.architecture.sourceOptional, plain.examples]).toEqual([false, []]);
    const told = changed((manifest: Record<string, Record<string, unknown>>) => {
      Object.assign(manifest.architecture ?? {}, { maxInputLength: 4, sourceOptional: true });
      Object.assign(manifest, { examples: [" Once upon a time ", "A cat"] });
    });
    const { architecture, examples } = parseManifest(told);
    expect([architecture.sourceOptional, examples]).toEqual([true, ["Once upon a time", "A cat"]]);
  });

  it("reads presets, which set what they set and nothing else", () => {
    expect(parseManifest(text).presets).toEqual([]);
    const settings = { steps: 64, method: "ode", gamma: 0.5, selfCondScale: 2, schedule: "quantile" };
    const told = changed((manifest: object) =>
      Object.assign(manifest, {
        presets: [
          { name: " Careful ", note: "Twice as long", settings: { ...settings, cfgScale: 1, solver: "multistep" } },
          { name: "Same", note: "As it is", settings: {} },
          { name: "Mine", note: "With a seed", settings: { steps: 3, seed: 1, length: 2, rng: "original" } },
        ],
      }),
    );
    const [careful, same, mine] = parseManifest(told).presets;
    expect(careful).toEqual({
      name: "Careful",
      note: "Twice as long",
      settings: { ...settings, cfgScale: 1, solver: "multistep" },
    });
    expect([same?.settings, mine?.settings]).toEqual([{}, { steps: 3 }]);
  });

  it("reads guidance among the defaults of a model that takes no prompt: it is 1 there, whatever they say", () => {
    const guided = changed((manifest: { defaults: object }) => Object.assign(manifest.defaults, { cfgScale: 2 }));
    expect(parseManifest(guided).defaults.cfgScale).toBe(2);
  });

  it.each([0, 1, 99])("names another schema version: %i", (version) => {
    const other = changed((manifest: object) =>
      Object.assign(manifest, { schemaVersion: version, graphs: "of a later kind" }),
    );
    expect(() => parseManifest(other)).toThrow(ManifestVersionError);
    expect(() => parseManifest(other)).toThrow(`schema version ${version}`);
  });

  it.each<[string, (manifest: Record<string, Record<string, unknown>>) => void]>([
    ["schemaVersion", (manifest) => delete manifest.schemaVersion],
    ["selfCondStart", (manifest) => delete manifest.selfCondStart],
    ["selfCondStart", (manifest) => Object.assign(manifest, { selfCondStart: "noise" })],
    ["architecture.latentSize", (manifest) => Object.assign(manifest.architecture ?? {}, { latentSize: 0 })],
    ["latent.noiseScale", (manifest) => delete manifest.latent?.noiseScale],
    ["latent.std", (manifest) => Object.assign(manifest.latent ?? {}, { std: [1, 2] })],
    ["defaults.method", (manifest) => Object.assign(manifest.defaults ?? {}, { method: "euler" })],
    ["defaults.solver", (manifest) => Object.assign(manifest.defaults ?? {}, { method: "sde", solver: "multistep" })],
    ["architecture.maxInputLength", (manifest) => Object.assign(manifest.architecture ?? {}, { maxInputLength: 16 })],
    [
      "graphs.encoder",
      (manifest) => {
        Object.assign(manifest.architecture ?? {}, { maxInputLength: 4 });
        delete manifest.graphs?.encoder;
      },
    ],
    ["architecture.sourceOptional", (manifest) => Object.assign(manifest.architecture ?? {}, { sourceOptional: true })],
    ["architecture.sourceOptional", (manifest) => Object.assign(manifest.architecture ?? {}, { sourceOptional: 1 })],
    ["examples", (manifest) => Object.assign(manifest, { examples: ["to a model that takes none"] })],
    ["examples", (manifest) => Object.assign(manifest, { examples: Array(9).fill("a") })],
    ["examples.1", (manifest) => Object.assign(manifest, { examples: ["a", " "] })],
    ["presets", offering(...Array(7).fill({}))],
    ["presets.1.settings.steps", offering({}, { steps: 0 })],
    ["presets.0.settings.gamma", offering({ gamma: 8.5 })],
    ["presets.0.settings.selfCondScale", offering({ selfCondScale: 0.4 })],
    ["presets.0.settings.schedule", offering({ schedule: "linear" })],
    ["presets.0.settings.solver", offering({ method: "sde", solver: "multistep" })],
    ["presets.0.settings.cfgScale", offering({ cfgScale: 2 })],
    ["presets.0.name", (manifest) => Object.assign(manifest, { presets: [{ name: " ", note: "a", settings: {} }] })],
    ["presets.0.note", (manifest) => Object.assign(manifest, { presets: [{ name: "a", settings: {} }] })],
    ["defaults.length", (manifest) => Object.assign(manifest.defaults ?? {}, { length: 17 })],
    ["graphs.denoiser", (manifest) => Object.assign(manifest.graphs?.denoiser ?? {}, { fused: "onnx/other.onnx" })],
    ["defaultDtype", (manifest) => Object.assign(manifest, { defaultDtype: "q8" })],
    ["defaultDtype", (manifest) => Object.assign(manifest, { defaultDtype: "f8" })],
    ["dtypes.f32.shards", (manifest) => Object.assign(manifest.dtypes?.f32 ?? {}, { shards: [] })],
    ["dtypes.f32", (manifest) => Object.assign(manifest.dtypes?.f32 ?? {}, { index: "onnx/weights-f33.json" })],
    ["dtypes.f32.bytes", (manifest) => Object.assign(manifest.dtypes?.f32 ?? {}, { bytes: 7 })],
    ["files.0.sha256", (manifest) => Object.assign((manifest.files as unknown as object[])[0] ?? {}, { sha256: "12" })],
    ["files.0.path", (manifest) => Object.assign((manifest.files as unknown as object[])[0] ?? {}, { path: "../x" })],
    [
      "files.0.path",
      (manifest) => Object.assign((manifest.files as unknown as object[])[0] ?? {}, { path: "http://x/y" }),
    ],
  ])("names the field that is wrong: %s", (field, change) => {
    const broken = changed((manifest) => change(manifest as never));
    expect(() => parseManifest(broken)).toThrow(ManifestError);
    expect(() => parseManifest(broken)).toThrow(`wrong at ${field}`);
  });

  it.each(["", "<!doctype html>", "null", "[]", "3"])("refuses %j", (broken) => {
    expect(() => parseManifest(broken)).toThrow(ManifestError);
  });
});
