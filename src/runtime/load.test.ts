import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { WeightIndexError } from "../format/weightIndex";
import { loadModel } from "./load";
import { TooLargeError } from "./memoryPlan";
import type { Runtime } from "./runtime";
import { NoWebGpuError } from "./webgpu";

/** The tiny model's manifest with the shapes and sizes of ELF-L: 652 million weights. */
function large(): string {
  const manifest = JSON.parse(readFileSync("test/fixtures/tiny-model/manifest.json", "utf8"));
  Object.assign(manifest.architecture, {
    depth: 32,
    hiddenSize: 1280,
    heads: 16,
    latentSize: 512,
    bottleneckSize: 128,
    vocabularySize: 32128,
    parameters: 652_000_000,
  });
  manifest.latent = { ...manifest.latent, mean: 0, std: 1 };
  const shards = Array.from({ length: 40 }, (_, i) => ({
    path: `onnx/weights-f32-${i + 1}.bin`,
    bytes: 64_000_000,
    sha256: i.toString(16).padStart(64, "0"),
  }));
  manifest.files.push(...shards);
  manifest.dtypes.f32.shards = shards.map(({ path }) => path);
  manifest.dtypes.f32.bytes = 40 * 64_000_000;
  return JSON.stringify(manifest);
}

describe("loadModel", () => {
  const limits = (bytes: number) => ({ maxBufferSize: bytes, maxStorageBufferBindingSize: bytes });
  const adapter = (bytes: number, architecture = "swift-9") =>
    ({ limits: limits(bytes), info: { vendor: "acme", architecture } }) as unknown as GPUAdapter;

  function load(wanted: "auto" | "wasm" | "webgpu", found: GPUAdapter | null) {
    const asked: string[] = [];
    const start = () => Promise.reject(new Error("Nothing is started in this test."));
    const loading = loadModel({
      baseUrl: "https://host/",
      wanted,
      platform: { findAdapter: async () => found, startWasm: start, startWebGpu: start },
      fetchFile: async (url) => {
        asked.push(url.slice("https://host/".length));
        return url.endsWith("manifest.json") ? new Response(large()) : new Response(null, { status: 404 });
      },
    });
    return { asked, loading };
  }

  it("refuses what memory cannot hold before a byte of it is asked for", async () => {
    const { asked, loading } = load("wasm", null);
    await expect(loading).rejects.toThrow(TooLargeError);
    await expect(loading).rejects.toThrow("WebAssembly has room for 4.3 GB");
    expect(asked).toEqual(["manifest.json"]);
    await expect(load("auto", null).loading).rejects.toThrow(TooLargeError);
    await expect(load("webgpu", adapter(10e6)).loading).rejects.toThrow("binds at most 10.0 MB");
  });

  it("counts on no GPU in software, unless it is asked for by name", async () => {
    const { asked, loading } = load("auto", adapter(2 ** 31, "swiftshader"));
    await expect(loading).rejects.toThrow(TooLargeError);
    expect(asked).toEqual(["manifest.json"]);
    await expect(load("webgpu", adapter(2 ** 31, "swiftshader")).loading).rejects.not.toThrow(TooLargeError);
  });

  it("refuses WebGPU that is not there before a byte of the model is asked for", async () => {
    const { asked, loading } = load("webgpu", null);
    await expect(loading).rejects.toThrow(NoWebGpuError);
    expect(asked).toEqual(["manifest.json"]);
  });

  it("gives a runtime back that it has started, where the weights for it cannot be unpacked", async () => {
    const fixture = (path: string) => readFileSync(`test/fixtures/tiny-model/${path}`);
    const manifest = JSON.parse(fixture("manifest.json").toString());
    manifest.dtypes.f32.index = "tokenizer.json";
    const release = vi.fn();
    const loading = loadModel({
      baseUrl: "https://host/",
      wanted: "webgpu",
      platform: {
        findAdapter: async () => adapter(2 ** 31),
        startWasm: () => Promise.reject(new Error("It was not asked for.")),
        startWebGpu: async () => ({ backend: "webgpu", release }) as unknown as Runtime,
      },
      fetchFile: async (url) => {
        const path = url.slice("https://host/".length);
        return path === "manifest.json" ? Response.json(manifest) : new Response(fixture(path));
      },
    });
    await expect(loading).rejects.toThrow(WeightIndexError);
    expect(release).toHaveBeenCalledTimes(2);
  });

  it("names the backend that holds it, and takes that one by itself where it may choose", async () => {
    const refused = load("auto", null).loading.catch((error: TooLargeError) => error.action);
    expect(await refused).toContain("smaller model");
    const { asked, loading } = load("auto", adapter(2 ** 31));
    await expect(loading).rejects.not.toThrow(TooLargeError);
    expect(asked.length).toBeGreaterThan(1);
  });
});
