import type { InferenceSession } from "onnxruntime-web";
import { Tensor } from "onnxruntime-web/wasm";
import { describe, expect, it, vi } from "vitest";
import { SafetensorsError } from "../format/safetensors";
import { safetensorsOf } from "../format/testing/safetensorsFile";
import type { Backend, Runtime } from "./runtime";
import { relativeError, SelfTest, SelfTestError, wrongTokens } from "./selfTest";

const floats = (shape: number[], ...numbers: number[]) => ({ shape, data: Float32Array.from(numbers) });
const tokens = (shape: number[], ...ids: number[]) => ({ shape, data: BigInt64Array.from(ids.map(BigInt)) });

const file = safetensorsOf({
  "denoiser.z": floats([1, 2, 1], 0.5, -1),
  "denoiser.x_hat": floats([1, 2, 1], 4, -2),
  "decoder.latent": floats([1, 2, 1], 0.25, 1),
  "decoder.top_tokens": tokens([1, 2, 2], 7, 3, 5, 4),
  "decoder.top_probabilities": floats([1, 2, 2], 0.9, 0.1, 0.4, 0.395),
});

const denoiser = { inputNames: ["z"], outputNames: ["x_hat"] } as unknown as InferenceSession;
const decoder = {
  inputNames: ["latent"],
  outputNames: ["top_tokens", "top_probabilities", "logits"],
} as unknown as InferenceSession;

/** A runtime that answers with these tensors. */
function runtimeOf(answers: Record<string, Tensor>, backend: Backend = "webgpu") {
  const run = vi.fn(async (..._: Parameters<Runtime["run"]>) => answers);
  return { run, runtime: { backend, ort: { Tensor }, run } as unknown as Runtime };
}

const xHat = (...numbers: number[]) => ({ x_hat: new Tensor("float32", Float32Array.from(numbers), [1, 2, 1]) });
const reading = (ids: readonly number[], probabilities: readonly number[] = [0.9, 0.1, 0.4, 0.395]) => ({
  top_tokens: new Tensor("int64", BigInt64Array.from(ids.map(BigInt)), [1, 2, 2]),
  top_probabilities: new Tensor("float32", Float32Array.from(probabilities), [1, 2, 2]),
});

describe("SelfTest", () => {
  it("runs a graph on its stored inputs, and passes what only rounds otherwise", async () => {
    const { run, runtime } = runtimeOf(xHat(4.007, -1.993));
    await new SelfTest(file).check("denoiser", denoiser, runtime);
    const [session, inputs, outputs] = run.mock.calls[0] ?? [];
    expect(session).toBe(denoiser);
    expect(Object.keys(inputs ?? {})).toEqual(["z"]);
    expect(inputs?.z?.dims).toEqual([1, 2, 1]);
    expect(Array.from(inputs?.z?.data as Float32Array)).toEqual([0.5, -1]);
    expect(outputs).toEqual(["x_hat"]);
  });

  it("names the graph, the output, the place and how far it is off", async () => {
    const { runtime } = runtimeOf(xHat(4.2, -2));
    const checking = new SelfTest(file).check("denoiser", denoiser, runtime);
    await expect(checking).rejects.toThrow(SelfTestError);
    await expect(checking).rejects.toThrow("The denoiser computes wrong numbers on webgpu: x_hat is off by 0.050 of");
    await expect(checking).rejects.toMatchObject({ action: expect.stringContaining("wasm") });
  });

  it.each([[Number.NaN], [Number.POSITIVE_INFINITY]])("does not pass %s", async (number) => {
    const { runtime } = runtimeOf(xHat(number, -2), "wasm");
    await expect(new SelfTest(file).check("denoiser", denoiser, runtime)).rejects.toThrow(SelfTestError);
    const last = runtimeOf(xHat(4, number));
    await expect(new SelfTest(file).check("denoiser", denoiser, last.runtime)).rejects.toThrow(SelfTestError);
  });

  it("takes other tokens for wrong, but for those as good as the best", async () => {
    const passing = runtimeOf(reading([7, 3, 4, 5]));
    await new SelfTest(file).check("decoder", decoder, passing.runtime);
    const failing = runtimeOf(reading([3, 7, 5, 4]));
    await expect(new SelfTest(file).check("decoder", decoder, failing.runtime)).rejects.toThrow(
      "1 of its top_tokens are others",
    );
  });

  it("asks for stored outputs only, and passes graphs of which none are", async () => {
    const { run, runtime } = runtimeOf(reading([7, 3, 5, 4]));
    await new SelfTest(file).check("decoder", decoder, runtime);
    expect(run.mock.calls[0]?.[2]).toEqual(["top_tokens", "top_probabilities"]);
    await new SelfTest(file).check("encoder", denoiser, runtime);
    expect(run).toHaveBeenCalledOnce();
  });

  it("names an input that is not stored", async () => {
    const { runtime } = runtimeOf(xHat(4, -2));
    const wider = { ...denoiser, inputNames: ["z", "prefix"] } as unknown as InferenceSession;
    const checking = new SelfTest(file).check("denoiser", wider, runtime);
    await expect(checking).rejects.toThrow(SafetensorsError);
    await expect(checking).rejects.toThrow("denoiser.prefix");
  });
});

describe("relativeError", () => {
  it("is the greatest difference as a share of the greatest number", () => {
    expect(relativeError(Float32Array.of(1, -4.5), Float32Array.of(1.25, -4))).toBe(0.125);
    expect(relativeError(Float32Array.of(0), Float32Array.of(0))).toBe(0);
    expect(relativeError(Float32Array.of(1), Float32Array.of(0))).toBe(Number.POSITIVE_INFINITY);
    expect(relativeError(Float32Array.of(1), Float32Array.of(1, 2))).toBe(Number.POSITIVE_INFINITY);
    expect(relativeError(undefined, Float32Array.of(1))).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("wrongTokens", () => {
  it("counts positions, by the best token alone", () => {
    const stored = BigInt64Array.of(1n, 2n, 3n, 4n);
    const sure = floats([2, 2], 1, 0, 1, 0);
    expect(wrongTokens(BigInt64Array.of(1n, 9n, 3n, 9n), stored, [2, 2], sure)).toBe(0);
    expect(wrongTokens(BigInt64Array.of(9n, 2n, 9n, 4n), stored, [2, 2], sure)).toBe(2);
    expect(wrongTokens(undefined, stored, [2, 2], sure)).toBe(2);
  });
});
