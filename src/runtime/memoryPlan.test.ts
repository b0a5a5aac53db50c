import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Manifest, parseManifest } from "../format/manifest";
import { type Machine, nearestPlan, type PlannedRun, planMemory, requireMemory, TooLargeError } from "./memoryPlan";

const mini = parseManifest(
  readFileSync(join(import.meta.dirname, "../../test/fixtures/stories-mini/manifest.json"), "utf8"),
);
const elf = { latentSize: 512, bottleneckSize: 128, vocabularySize: 32128, selfCondCfgTokens: 4, maxLength: 1024 };
const dtypes = { f16: { bytes: 210e6 }, q8: { bytes: 120e6 }, q4: { bytes: 70e6 } };

function manifest(architecture: object, packed: object = {}): Manifest {
  const graph = { file: "", packed };
  const fields = { title: "ELF", graphs: { denoiser: graph, decoder: graph }, dtypes };
  return { ...fields, architecture: { ...elf, ...architecture } } as unknown as Manifest;
}

const base = manifest({ depth: 12, hiddenSize: 768, heads: 12 });
const large = manifest({ depth: 32, hiddenSize: 1280, heads: 16 }, { q8: "x", q4: "y" });
const wasm: PlannedRun = { dtype: "f16", backend: "wasm", length: 128, batch: 1 };
const webgpu: PlannedRun = { ...wasm, backend: "webgpu" };
/** What every WebGPU device has at least. */
const weakest = { maxBufferSize: 256 * 2 ** 20, maxStorageBufferBindingSize: 128 * 2 ** 20 };
/** Binds the activations of a short run, but no matrix of float32. */
const tight = { maxBufferSize: 20e6, maxStorageBufferBindingSize: 20e6 };
const strong = { maxBufferSize: 2 ** 31, maxStorageBufferBindingSize: 2 ** 31 };
const machine = (limits: Machine["limits"] = null, deviceBytes: number | null = null) => ({ limits, deviceBytes });

describe("planMemory", () => {
  it("counts the float32 weights of both sessions, whatever is stored", () => {
    const weights = (run: PlannedRun) => planMemory(base, run, machine(strong)).parts[0]?.bytes ?? 0;
    // 105 million weights of 4 bytes, twice.
    expect(weights(wasm) / 840e6).toBeCloseTo(1, 1);
    expect(weights({ ...wasm, dtype: "q4" })).toBe(weights(wasm));
    expect(weights({ ...webgpu, dtype: "q8" }), "no packed graphs").toBe(weights(wasm));
  });

  it("leaves weights packed where they do not fit otherwise, and only there", () => {
    const plan = (dtype: "f16" | "q8" | "q4", machineNow: Machine) =>
      planMemory(large, { ...webgpu, dtype }, machineNow);
    expect(plan("q8", machine(strong))).toMatchObject({ isPacked: false, refusal: null });
    const whole = plan("f16", machine(tight));
    expect(whole).toMatchObject({ isPacked: false, refusal: expect.any(String) });
    for (const [dtype, share] of [
      ["q8", 10 / 32],
      ["q4", 5 / 32],
    ] as const) {
      const packed = plan(dtype, machine(tight));
      expect(packed).toMatchObject({ isPacked: true, refusal: null });
      expect((packed.parts[0]?.bytes ?? 0) / (whole.parts[0]?.bytes ?? 1)).toBeCloseTo(share, 5);
    }
    expect(plan("q8", machine(strong, 4e9)).isPacked, "a device of little memory").toBe(true);
  });

  it("grows with the square of the length, and its logits never beyond a chunk", () => {
    const part = (length: number, name: string) =>
      planMemory(base, { ...wasm, length }, machine()).parts.find((entry) => entry.name === name)?.bytes ?? 0;
    expect(part(1024, "activations")).toBeGreaterThan(8 * part(128, "activations"));
    expect(part(1024, "reading the text")).toBe(3 * 64 * 2 ** 20);
    expect(part(64, "reading the text")).toBe(3 * 64 * 32128 * 4);
  });

  it("lets the shipped model run anywhere", () => {
    expect(planMemory(mini, { ...wasm, length: 64 }, machine()).refusal).toBeNull();
    expect(planMemory(mini, { ...webgpu, length: 64 }, machine(weakest)).refusal).toBeNull();
    expect(planMemory(mini, { ...wasm, length: 64 }, machine()).bytes).toBeLessThan(160e6);
  });

  it("refuses 652 million weights in wasm, where two float32 copies need more than four gigabytes", () => {
    expect(planMemory(large, wasm, machine()).refusal).toMatch(/needs 5\.\d GB.*room for 4\.3 GB/);
    expect(planMemory(base, wasm, machine()).refusal).toBeNull();
  });

  it("refuses tensors that the GPU cannot bind", () => {
    expect(planMemory(base, { ...webgpu, length: 1024, batch: 3 }, machine(weakest)).refusal).toMatch(
      /binds at most 134 MB/,
    );
    expect(planMemory(base, { ...webgpu, length: 1024, batch: 3 }, machine(strong)).refusal).toBeNull();
    expect(planMemory(base, webgpu, machine(null)).refusal).toContain("no WebGPU");
  });

  it("doubts a device whose memory is hardly larger", () => {
    expect(planMemory(base, wasm, machine(null, 1e9)).doubt).toContain("1.0 GB");
    expect(planMemory(base, wasm, machine(null, 8e9)).doubt).toBeNull();
  });
});

describe("nearestPlan", () => {
  it("stays with what was wanted where that fits", () => {
    expect(nearestPlan(base, wasm, machine())?.run).toEqual(wasm);
  });

  it("shortens where the length is what does not fit", () => {
    const wanted = { ...webgpu, length: 1024, batch: 3 };
    expect(nearestPlan(base, wanted, machine(weakest))?.run).toEqual({ ...wanted, length: 512 });
  });

  it("packs the weights where they do not fit, on the backend that can", () => {
    expect(nearestPlan(large, wasm, machine(strong))?.run).toMatchObject({ backend: "webgpu", length: 128 });
    expect(nearestPlan(large, webgpu, machine(tight))?.run).toMatchObject({ dtype: "q8", backend: "webgpu" });
  });

  it("finds nothing where nothing fits", () => {
    expect(nearestPlan(large, wasm, machine(null))).toBeNull();
  });
});

describe("requireMemory", () => {
  it("names what fits", () => {
    expect(() => requireMemory(base, wasm, machine())).not.toThrow();
    const refused = () => requireMemory(large, wasm, machine(strong));
    expect(refused).toThrow(TooLargeError);
    try {
      refused();
    } catch (error) {
      expect((error as TooLargeError).action).toMatch(/^With the WebGPU backend it needs .* and fits/);
    }
  });
});
