import { readFileSync } from "node:fs";
import { Tensor } from "onnxruntime-web/wasm";
import { describe, expect, it, vi } from "vitest";
import { CancelledError } from "../flow/errors";
import { parseManifest } from "./manifest";
import { DeviceLostError, type Runtime } from "./runtime";
import { networkFiles, openNetwork, SessionError } from "./session";

const manifest = parseManifest(readFileSync("test/fixtures/tiny-model/manifest.json", "utf8"));
const D = manifest.architecture.latentSize;
const files = new Map(networkFiles(manifest).map((path) => [path, new TextEncoder().encode(path)]));

/** A runtime whose sessions have every name of the format and answer with `run`. */
function fakeRuntime(run: (...args: Parameters<Runtime["run"]>) => Promise<unknown>) {
  const names = ["z", "x_hat_prev", "t", "self_cond_scale", "latent"];
  const outputs = ["x_hat", "top_tokens", "top_probabilities", "entropy"];
  return {
    backend: "wasm",
    ort: { Tensor },
    createSession: vi.fn(async (..._: Parameters<Runtime["createSession"]>) => ({
      inputNames: names,
      outputNames: outputs,
    })),
    releaseSession: vi.fn(async () => {}),
    run,
    release: vi.fn(),
  };
}

async function networkOf(run: (...args: Parameters<Runtime["run"]>) => Promise<unknown>) {
  return openNetwork(manifest, files, fakeRuntime(run) as unknown as Runtime);
}

describe("openNetwork", () => {
  it("hands each graph its weights under the name the graph knows", async () => {
    const runtime = fakeRuntime(async () => ({}));
    const seen: string[] = [];
    await openNetwork(manifest, files, runtime as unknown as Runtime, { onGraph: (graph) => seen.push(graph) });
    expect(seen).toEqual(["denoiser", "decoder"]);
    expect(runtime.createSession).toHaveBeenCalledWith(files.get("onnx/denoiser.onnx"), [
      { path: "weights.bin", data: files.get("onnx/weights.bin") },
    ]);
  });

  it("frees a session and the runtime when a graph does not fit", async () => {
    const runtime = fakeRuntime(async () => ({}));
    runtime.createSession.mockImplementationOnce(async () => ({ inputNames: [], outputNames: [] }));
    await expect(openNetwork(manifest, files, runtime as unknown as Runtime)).rejects.toThrow(SessionError);
    expect(runtime.releaseSession).toHaveBeenCalledOnce();
    expect(runtime.release).toHaveBeenCalledOnce();
  });

  it("stops between graphs when cancelled", async () => {
    const abort = new AbortController();
    const opening = openNetwork(manifest, files, fakeRuntime(async () => ({})) as unknown as Runtime, {
      signal: abort.signal,
      onGraph: () => abort.abort(),
    });
    await expect(opening).rejects.toThrow(CancelledError);
  });
});

describe("OrtNetwork", () => {
  const input = { z: new Float32Array(2 * D), previous: new Float32Array(2 * D), t: 0.25, selfCondScale: 3 };

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
      t: [1],
      self_cond_scale: [1],
    });
    expect(outputs).toEqual(["x_hat"]);
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
