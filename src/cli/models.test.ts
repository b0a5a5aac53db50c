/** Whole models from their files: the tiny random one of the fixtures, and whatever stands under models/. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { NETWORK_GRAPHS, networkParts } from "../delivery/networkParts";
import { checkSources } from "../flow/condition";
import { flow } from "../flow/sampler";
import type { SamplerSettings } from "../flow/settings";
import { targetOf } from "../flow/tokens";
import { readFrame } from "../flow/trajectory";
import { flowConstants } from "../format/manifest";
import { writeBatch } from "../run/batch";
import { openNetwork } from "../runtime/arrayNetwork";
import { SessionError } from "../runtime/graphs";
import type { Model } from "../runtime/load";
import { startWasm } from "../runtime/runtime";
import { loadFolder } from "./folder";

const TINY = "test/fixtures/tiny-model";

async function lastState(model: Model, settings: SamplerSettings): Promise<{ z: Float32Array; tokens: number[] }> {
  const constants = flowConstants(model.manifest);
  let z = new Float32Array();
  for await (const state of flow(model.network, settings, constants)) z = new Float32Array(state.z);
  const [reading] = await model.network.decode([z], settings.selfCondScale);
  return { z, tokens: Array.from(reading?.tokens ?? []) };
}

interface ReferenceRuns {
  runs: { settings: SamplerSettings; tokens: number[]; text: string; z: number[] }[];
}

describe("the tiny model", () => {
  const reference = JSON.parse(readFileSync("test/fixtures/tiny-run.json", "utf8")) as ReferenceRuns;

  it("reports its load phase by phase", async () => {
    const phases: string[] = [];
    const model = await loadFolder(TINY, ({ phase }) => void (phases.at(-1) === phase || phases.push(phase)));
    // A model that brings a self-test is checked graph by graph.
    expect(phases.filter((phase) => phase !== "check").slice(0, 4)).toEqual([
      "manifest",
      "download",
      "weights",
      "session",
    ]);
    expect(model.tokenizer.pieces).toHaveLength(model.manifest.architecture.vocabularySize);
    await model.network.dispose();
  });

  it("writes in wasm what the JAX sampler wrote", async () => {
    const model = await loadFolder(TINY);
    for (const { settings, tokens, text, z } of reference.runs) {
      const end = await lastState(model, settings);
      expect(end.tokens).toEqual(tokens);
      expect(model.tokenizer.decode(tokens)).toBe(text);
      const worst = z.reduce((most, value, i) => Math.max(most, Math.abs(value - (end.z[i] as number))), 0);
      expect(worst).toBeLessThan(1e-3);
    }
    await model.network.dispose();
  });

  it("reads a state and a prediction in one batch as it reads each alone", async () => {
    const model = await loadFolder(TINY);
    const { manifest, network } = model;
    const states = [];
    for await (const state of flow(network, manifest.defaults, flowConstants(manifest))) {
      states.push(state);
    }
    const state = states[9];
    if (!state) throw new Error("The run was too short.");
    const frame = await readFrame(network, state, 3);
    const [alone] = await network.decode([state.prediction], 3);
    expect(frame.expects.tokens).toEqual(alone?.tokens);
    expect(frame.expects.topTokens).toHaveLength(manifest.defaults.length * manifest.decoder.topK);
    expect(frame.expects.topProbabilities.every((p) => p >= 0 && p <= 1)).toBe(true);
    const most = Math.log(manifest.architecture.vocabularySize);
    expect(frame.holds.entropy.every((nats) => nats >= -1e-5 && nats <= most + 1e-5)).toBe(true);
    await network.dispose();
  });

  it("names a graph that the runtime refuses, and one that lacks its outputs", async () => {
    const { manifest, network } = await loadFolder(TINY);
    await network.dispose();
    const read = (path: string) => new Uint8Array(readFileSync(`${TINY}/${path}`));
    const parts = await networkParts(manifest, "f32", NETWORK_GRAPHS, async (path) => read(path));
    const garbage = new Map(parts.graphs).set("onnx/denoiser.onnx", new TextEncoder().encode("not a graph"));
    await expect(openNetwork(manifest, { ...parts, graphs: garbage }, await startWasm())).rejects.toThrow(SessionError);
    const swapped = new Map(parts.graphs).set("onnx/denoiser.onnx", read("onnx/prefix.onnx"));
    const all = parts.weights.map((file) => ({ ...file, graphs: NETWORK_GRAPHS }));
    await expect(openNetwork(manifest, { ...parts, graphs: swapped, weights: all }, await startWasm())).rejects.toThrow(
      "lacks z, x_hat_prev, prefix, x_hat",
    );
  });
});

interface ConditionalRuns {
  runs: {
    settings: SamplerSettings;
    batch: number;
    promptIds: number[][];
    tokens: number[][];
    written: number[][];
    text: string[] | null;
    z: number[];
  }[];
}

describe.each(["tiny-conditional", "tiny-two-pass"])("the model %s", (name) => {
  const { runs } = JSON.parse(readFileSync(`test/fixtures/${name}-run.json`, "utf8")) as ConditionalRuns;

  it("writes to prompts, or without, in wasm what the JAX sampler wrote", async () => {
    const model = await loadFolder(`test/fixtures/${name}`);
    const { architecture, tokens: special } = model.manifest;
    for (const { settings, batch, promptIds, tokens, written, text, z } of runs) {
      checkSources(promptIds, batch, settings.length, architecture);
      const run = await writeBatch(model, { settings, batch, sources: promptIds });
      expect(run.tokens.map((row) => Array.from(row))).toEqual(tokens);
      const worst = z.reduce((most, value, i) => Math.max(most, Math.abs(value - (run.end.z[i] as number))), 0);
      expect(worst).toBeLessThan(1e-3);
      for (const [row, ids] of run.tokens.entries()) {
        const source = promptIds[promptIds.length === 1 ? 0 : row] ?? [];
        const longest = architecture.maxLength - (source.length > 0 ? architecture.maxInputLength : 0);
        const end = (written[row] as number[]).indexOf(special.eos);
        const expected = end < 0 ? written[row] : written[row]?.slice(0, end);
        const target = targetOf(ids, source.length, longest, special.eos);
        expect(Array.from(target)).toEqual(expected);
        if (text) expect(model.tokenizer.decode(target)).toBe(text[row]);
      }
    }
    const free = runs.filter(({ promptIds }) => promptIds.length === 0);
    expect(free).toHaveLength(architecture.sourceOptional ? runs.length / 2 : 0);
    await model.network.dispose();
  });
});

describe("the conditional model", () => {
  it("encodes a source beside a longer one as it does alone", async () => {
    const { network } = await loadFolder("test/fixtures/tiny-conditional");
    const [alone] = await network.encode([[5, 6]]);
    const [beside] = await network.encode([
      [5, 6],
      [7, 8, 9, 10, 11],
    ]);
    expect(alone).toHaveLength(2 * network.latentSize);
    const worst = alone?.reduce((most, x, i) => Math.max(most, Math.abs(x - (beside?.[i] as number))), 0);
    expect(worst).toBeLessThan(1e-5);
    await network.dispose();
  });
});

const shipped = "models/stories";
describe.runIf(existsSync(`${shipped}/manifest.json`))("the shipped model", () => {
  it("writes the same tokens for the same seed, and others for another", async () => {
    const model = await loadFolder(shipped);
    const settings = { ...model.manifest.defaults, steps: 8 };
    const first = await lastState(model, settings);
    expect(await lastState(model, settings)).toEqual(first);
    expect((await lastState(model, { ...settings, seed: settings.seed + 1 })).tokens).not.toEqual(first.tokens);
    await model.network.dispose();
  });
});
