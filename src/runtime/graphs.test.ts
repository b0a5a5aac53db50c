import { readFileSync } from "node:fs";
import { Tensor } from "onnxruntime-web/wasm";
import { describe, expect, it, vi } from "vitest";
import { graphPath } from "../delivery/networkParts";
import { CancelledError, ConditionError } from "../flow/errors";
import { parseManifest } from "../format/manifest";
import { openNetwork } from "./arrayNetwork";
import { SessionError } from "./graphs";
import { DeviceLostError, type Runtime } from "./runtime";
import { type SelfTest, SelfTestError } from "./selfTest";

const manifest = parseManifest(readFileSync("test/fixtures/tiny-model/manifest.json", "utf8"));
const D = manifest.architecture.latentSize;
const paths = ["onnx/prefix.onnx", "onnx/denoiser.onnx", "onnx/decoder.onnx"];
const weights = [
  { path: "weights-0.bin", data: new Uint8Array(3), graphs: ["denoiser", "decoder"] },
  { path: "weights-1.bin", data: new Uint8Array(4), graphs: ["encoder"] },
];
const dtype = "f32";
const parts = { graphs: new Map(paths.map((path) => [path, new TextEncoder().encode(path)])), weights, dtype } as const;

const OUTPUTS = ["prefix", "x_hat", "top_tokens", "top_probabilities", "entropy", "latent"];

type Run = (...args: Parameters<Runtime["run"]>) => Promise<unknown>;

/** A prefix (N, 3, 2) of t, and of the scale where it is told, in the first of the numbers of each row. */
const prefixRun: Run = async (_, { t, self_cond_scale: scale }) => {
  const numbers = Array.from(t?.data as Float32Array, (time, i) => {
    return [time, (scale?.data as Float32Array | undefined)?.[i] ?? 0, 0, 0, 0, 0];
  });
  return { prefix: new Tensor("float32", Float32Array.from(numbers.flat()), [numbers.length, 3, 2]) };
};

/** A runtime whose sessions have every name of the format and answer with `run`, but the prefix with its own. */
function fakeRuntime(run: Run, prefix = prefixRun, prefixDims: readonly (number | string)[] = [1, 3, 2]) {
  const names = ["z", "x_hat_prev", "prefix", "t", "self_cond_scale", "latent", "input_ids", "attention_mask"];
  return {
    backend: "wasm",
    ort: { Tensor },
    createSession: vi.fn(async (..._: Parameters<Runtime["createSession"]>) => ({
      inputNames: names,
      outputNames: OUTPUTS,
      inputMetadata: [{ name: "prefix", isTensor: true, shape: prefixDims }],
    })),
    releaseSession: vi.fn(async () => {}),
    run: (...of: Parameters<Runtime["run"]>) => ((of[2] as string[]).includes("prefix") ? prefix(...of) : run(...of)),
    release: vi.fn(),
  };
}

async function networkOf(run: Run, prefix?: Run) {
  return openNetwork(manifest, parts, fakeRuntime(run, prefix) as unknown as Runtime);
}

describe("openNetwork", () => {
  it("hands each graph its weights under the name the graph knows", async () => {
    const runtime = fakeRuntime(async () => ({}));
    const seen: string[] = [];
    await openNetwork(manifest, parts, runtime as unknown as Runtime, { onGraph: (graph) => seen.push(graph) });
    expect(seen).toEqual(["prefix", "denoiser", "decoder"]);
    expect(runtime.createSession).toHaveBeenCalledWith(parts.graphs.get("onnx/denoiser.onnx"), [
      { path: "weights-0.bin", data: weights[0]?.data },
    ]);
  });

  it("frees a session and the runtime when a graph does not fit", async () => {
    const runtime = fakeRuntime(async () => ({}));
    runtime.createSession.mockImplementationOnce(async () => ({ inputNames: [], outputNames: [], inputMetadata: [] }));
    await expect(openNetwork(manifest, parts, runtime as unknown as Runtime)).rejects.toThrow(SessionError);
    expect(runtime.releaseSession).toHaveBeenCalledOnce();
    expect(runtime.release).toHaveBeenCalledOnce();
  });

  it("stops between graphs when cancelled", async () => {
    const abort = new AbortController();
    const opening = openNetwork(manifest, parts, fakeRuntime(async () => ({})) as unknown as Runtime, {
      signal: abort.signal,
      onGraph: () => abort.abort(),
    });
    await expect(opening).rejects.toThrow(CancelledError);
  });
});

describe("openNetwork with a self-test", () => {
  const wrong = new SelfTestError("x_hat is off.", "");
  /** A self-test that the graph of this name fails. */
  function testFailing(failing?: string) {
    const check = vi.fn(async (...[name]: Parameters<SelfTest["check"]>) => {
      if (name === failing) throw wrong;
    });
    return { check, selfTest: { check } as unknown as SelfTest };
  }

  it("tests each graph as soon as it is open, and frees everything where one fails", async () => {
    const { check, selfTest } = testFailing("decoder");
    const runtime = fakeRuntime(async () => ({}));
    const told: string[] = [];
    const opening = openNetwork(manifest, parts, runtime as unknown as Runtime, {
      selfTest,
      onGraph: (graph) => told.push(`open ${graph}`),
      onCheck: (graph) => told.push(`check ${graph}`),
    });
    await expect(opening).rejects.toBe(wrong);
    expect(told).toEqual(["prefix", "denoiser", "decoder"].flatMap((graph) => [`open ${graph}`, `check ${graph}`]));
    expect(check.mock.calls[0]?.[2]).toBe(runtime);
    expect(runtime.releaseSession).toHaveBeenCalledTimes(3);
    expect(runtime.release).toHaveBeenCalledOnce();
  });

  it("tests the encoder when it is opened, and does not use one that fails", async () => {
    const { selfTest } = testFailing("encoder");
    const runtime = fakeRuntime(async () => ({}));
    const conditional = { ...manifest, graphs: { ...manifest.graphs, encoder: { file: "onnx/encoder.onnx" } } };
    const fetchLate = async () =>
      ({ graphs: new Map([["onnx/encoder.onnx", new Uint8Array(1)]]), weights, dtype }) as const;
    const network = await openNetwork(conditional, parts, runtime as unknown as Runtime, { selfTest, fetchLate });
    await expect(network.encode([[5]])).rejects.toBe(wrong);
    await expect(network.encode([[5]])).rejects.toBe(wrong);
    expect(runtime.releaseSession).toHaveBeenCalledTimes(2);
  });

  it("runs the fused graphs where they are asked for, and the plain one of a graph that has no other", async () => {
    const runtime = fakeRuntime(async () => ({}));
    const denoiser = { file: "onnx/denoiser.onnx", fused: "onnx/denoiser-fused.onnx" };
    const decoder = { file: "onnx/decoder.onnx" };
    const offered = { ...manifest, graphs: { ...manifest.graphs, denoiser, decoder } };
    const fused = new Uint8Array(9);
    const graphs = new Map<string, Uint8Array>([...parts.graphs, ["onnx/denoiser-fused.onnx", fused]]);
    await openNetwork(offered, { graphs, weights, dtype }, runtime as unknown as Runtime, { variant: "fused" });
    expect(runtime.createSession.mock.calls.map(([graph]) => graph)).toEqual([
      parts.graphs.get("onnx/prefix.onnx"),
      fused,
      parts.graphs.get("onnx/decoder.onnx"),
    ]);
  });
});

describe("graphPath", () => {
  it("has a file for each kernel and each dtype, and the plain one where there is no other", () => {
    const graph = { file: "plain", fused: "fused", packed: { q8: "packed-q8" } };
    expect(graphPath(graph, "packed", "q8")).toBe("packed-q8");
    expect(graphPath(graph, "packed", "q4")).toBe("plain");
    expect(graphPath(graph, "packed", "f16")).toBe("plain");
    expect(graphPath(graph, "fused", "q8")).toBe("fused");
    expect(graphPath(graph, "plain", "q8")).toBe("plain");
  });
});

describe("ArrayNetwork", () => {
  const input = { z: new Float32Array(2 * D), previous: new Float32Array(2 * D), batch: 1, t: 0.25, selfCondScale: 3 };

  it("asks the denoiser for x̂ with the shapes of the format", async () => {
    const run = vi.fn(async (..._: Parameters<Runtime["run"]>) => ({
      x_hat: new Tensor("float32", new Float32Array(2 * D), [1, 2, D]),
    }));
    const network = await networkOf(run);
    await network.denoise(input);
    const [, inputs, outputs] = run.mock.calls[0] ?? [];
    expect(Object.fromEntries(Object.entries(inputs ?? {}).map(([name, tensor]) => [name, tensor.dims]))).toEqual({
      z: [1, 2, D],
      x_hat_prev: [1, 2, D],
      prefix: [1, 3, 2],
    });
    expect(outputs).toEqual(["x_hat"]);
  });

  it("hands a batch one prefix, of its time and scale", async () => {
    const run = vi.fn(async (..._: Parameters<Runtime["run"]>) => ({
      x_hat: new Tensor("float32", new Float32Array(6 * D), [3, 2, D]),
    }));
    const network = await networkOf(run);
    const batch = { z: new Float32Array(6 * D), previous: new Float32Array(6 * D), batch: 3 };
    await network.denoise({ ...input, ...batch });
    const [, inputs] = run.mock.calls[0] ?? [];
    expect(inputs?.z?.dims).toEqual([3, 2, D]);
    expect(inputs?.prefix?.dims).toEqual([1, 3, 2]);
    expect(Array.from(inputs?.prefix?.data as Float32Array)).toEqual([0.25, 3, 0, 0, 0, 0]);
  });

  it("gives each sample a prefix of its own, where the graph takes them", async () => {
    const run = vi.fn(async (..._: Parameters<Runtime["run"]>) => ({
      x_hat: new Tensor("float32", new Float32Array(3 * 2 * D), [3, 2, D]),
    }));
    expect((await networkOf(run)).denoiseMixed).toBeUndefined();
    const prefix = vi.fn(prefixRun);
    const runtime = fakeRuntime(run, prefix, ["N", 3, 2]) as unknown as Runtime;
    const network = await openNetwork(manifest, parts, runtime);
    const z = new Float32Array(3 * 2 * D);
    await network.prepare([0, 0.25, 0.25], [3, 3, 1]);
    await network.denoiseMixed?.({ z, previous: z, batch: 3, t: [0.25, 0.5, 0.25], selfCondScale: [1, 3, 3] });
    const inputs = run.mock.calls[0]?.[1];
    expect(inputs?.prefix?.dims).toEqual([3, 3, 2]);
    const told = Array.from(inputs?.prefix?.data as Float32Array).filter((_, i) => i % 6 < 2);
    expect(told).toEqual([0.25, 1, 0.5, 3, 0.25, 3]);
    // Announced are each pair once; the one that nobody announced is computed when it comes.
    expect(prefix.mock.calls.map(([, { t }]) => Array.from(t?.data as Float32Array))).toEqual([[0, 0.25, 0.25], [0.5]]);
  });

  it("computes the prefixes of a run at once, and of a pass that nobody announced when it comes", async () => {
    const run = vi.fn(async (..._: Parameters<Runtime["run"]>) => ({
      x_hat: new Tensor("float32", new Float32Array(2 * D), [1, 2, D]),
    }));
    const prefix = vi.fn(prefixRun);
    const network = await networkOf(run, prefix);
    await network.prepare([0, 0.25, 0.5], 3);
    for (const t of [0, 0.25, 0.5]) await network.denoise({ ...input, t });
    const asked = () => prefix.mock.calls.map(([, { t }]) => Array.from(t?.data as Float32Array));
    expect(asked()).toEqual([[0, 0.25, 0.5]]);
    const told = run.mock.calls.map(([, { prefix }]) => Array.from((prefix?.data as Float32Array).subarray(0, 2)));
    expect(told).toEqual([0, 0.25, 0.5].map((t) => [t, 3]));
    await network.denoise({ ...input, selfCondScale: 1 });
    await network.denoise({ ...input, t: 0.75 });
    expect(asked().slice(1)).toEqual([[0.25], [0.75]]);
    // Those of an earlier run are forgotten: nothing grows.
    await network.prepare([], 3);
    await network.denoise(input);
    expect(asked().slice(3)).toEqual([[0.25]]);
  });

  it("tells a network without self-conditioning tokens no scale", async () => {
    const run = vi.fn(async (..._: Parameters<Runtime["run"]>) => ({
      x_hat: new Tensor("float32", new Float32Array(2 * D), [1, 2, D]),
    }));
    const prefix = vi.fn(prefixRun);
    const runtime = fakeRuntime(run, prefix);
    const inputNames = ["z", "x_hat_prev", "prefix", "t", "latent"];
    const graph = { inputNames, outputNames: OUTPUTS, inputMetadata: [] };
    runtime.createSession.mockImplementation(async () => graph);
    await expect(openNetwork(manifest, parts, runtime as unknown as Runtime)).rejects.toThrow("lacks self_cond_scale");
    const architecture = { ...manifest.architecture, selfCondCfgTokens: 0 };
    const network = await openNetwork({ ...manifest, architecture }, parts, runtime as unknown as Runtime);
    expect(network.takesSelfCondScale).toBe(false);
    await network.denoise(input);
    expect(Object.keys(prefix.mock.calls[0]?.[1] ?? {})).toEqual(["t"]);
  });

  it("opens the encoder with the first prompt, masks what is filled up, and gives each source its own", async () => {
    const latent = Float32Array.from({ length: 2 * 3 * D }, (_, i) => i);
    const run = vi.fn(async (..._: Parameters<Runtime["run"]>) => ({
      latent: new Tensor("float32", latent, [2, 3, D]),
    }));
    const runtime = fakeRuntime(run);
    const encoder = { file: "onnx/encoder.onnx" };
    const conditional = { ...manifest, graphs: { ...manifest.graphs, encoder } };
    const late = { graphs: new Map([["onnx/encoder.onnx", new Uint8Array(1)]]), weights, dtype } as const;
    const fetchLate = vi.fn(async () => late);
    const network = await openNetwork(conditional, parts, runtime as unknown as Runtime, { fetchLate });
    expect(runtime.createSession).toHaveBeenCalledTimes(3);

    const [first, second] = await network.encode([[5], [6, 7, 8]]);
    expect(first).toEqual(latent.slice(0, D));
    expect(second).toEqual(latent.slice(3 * D));
    const [, inputs] = run.mock.calls[0] ?? [];
    expect(inputs?.input_ids?.data).toEqual(BigInt64Array.of(5n, 0n, 0n, 6n, 7n, 8n));
    expect(inputs?.attention_mask?.data).toEqual(BigInt64Array.of(1n, 0n, 0n, 1n, 1n, 1n));
    await network.encode([[5], [6, 7, 8]]);
    expect(fetchLate).toHaveBeenCalledExactlyOnceWith(["encoder"]);
    expect(runtime.createSession.mock.lastCall?.[1]).toEqual([{ path: "weights-1.bin", data: weights[1]?.data }]);
    await network.dispose();
    expect(runtime.releaseSession).toHaveBeenCalledTimes(4);
  });

  it("says that a model has no encoder", async () => {
    const { encoder: _, ...graphs } = manifest.graphs;
    const runtime = fakeRuntime(async () => ({})) as unknown as Runtime;
    const network = await openNetwork({ ...manifest, graphs }, parts, runtime);
    await expect(network.encode([[5]])).rejects.toThrow(ConditionError);
  });

  it("names numbers that overflowed", async () => {
    const values = new Float32Array(2 * D);
    values[7] = Number.NaN;
    const network = await networkOf(async () => ({ x_hat: new Tensor("float32", values, [1, 2, D]) }));
    await expect(network.denoise(input)).rejects.toThrow(SessionError);
    await expect(network.denoise(input)).rejects.toThrow("overflowed");
  });

  it("takes a batch of readings apart", async () => {
    const network = await networkOf(async () => ({
      // Two latents, two positions, two tokens each.
      top_tokens: new Tensor("int64", BigInt64Array.of(1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n), [2, 2, 2]),
      top_probabilities: new Tensor("float32", Float32Array.of(0.5, 0.25, 1, 0, 0.75, 0.25, 0.5, 0.5), [2, 2, 2]),
      entropy: new Tensor("float32", Float32Array.of(1, 2, 3, 4), [2, 2]),
    }));
    const readings = await network.decode([new Float32Array(2 * D), new Float32Array(2 * D)], 3);
    expect(readings).toEqual([
      {
        tokens: Int32Array.of(1, 3),
        entropy: Float32Array.of(1, 2),
        topTokens: Int32Array.of(1, 2, 3, 4),
        topProbabilities: Float32Array.of(0.5, 0.25, 1, 0),
      },
      {
        tokens: Int32Array.of(5, 7),
        entropy: Float32Array.of(3, 4),
        topTokens: Int32Array.of(5, 6, 7, 8),
        topProbabilities: Float32Array.of(0.75, 0.25, 0.5, 0.5),
      },
    ]);
  });

  it("wraps what the runtime throws, and lets the loss of the GPU through", async () => {
    const failing = await networkOf(() => Promise.reject(123456));
    await expect(failing.denoise(input)).rejects.toThrow("The denoiser failed on wasm: 123456");
    const lost = await networkOf(() => Promise.reject(new DeviceLostError("Lost.", "")));
    await expect(lost.denoise(input)).rejects.toThrow(DeviceLostError);
  });
});
