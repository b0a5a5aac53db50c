/**
 * WebGPU in Node, without a browser or a display: Dawn, from the npm package `webgpu`. The package is large and nothing
 * else needs it, so it is no dependency of this project: `npm install --no-save webgpu@0.6.2` puts it in place. Where
 * Vulkan has no driver of a GPU, VK_ICD_FILENAMES can name one in software (Chromium's `vk_swiftshader_icd.json`).
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Platform } from "../runtime/backend";
import { wasmOnly } from "../runtime/wasmOnly";
import { describeAdapter, findAdapter, startWebGpu } from "../runtime/webgpu";
import { countPasses, type GpuFigures, onWebGpu, type Passes } from "./measure";
import { type OpenModel, openModelOn } from "./openModel";

const PACKAGE: string = "webgpu";

/** The figures of `page.ts` that need no browser; `folder` holds an exported model. */
export async function measureInNode(
  folder: string,
  conditionalFolder: string,
  steps: number,
  repeats: number,
): Promise<{ adapter: string; webgpu: GpuFigures; passes: Passes }> {
  await provideWebGpu();
  // Dawn's promises alone do not keep Node from ending.
  const awake = setInterval(() => {}, 10);
  try {
    const adapter = await findAdapter();
    if (!adapter) throw new Error("Dawn finds no GPU; is there a Vulkan driver?");
    const model = await openModel(folder);
    const webgpu = await onWebGpu(model, steps, repeats);
    const passes = await countPasses(model, await openModel(conditionalFolder), steps);
    return { adapter: describeAdapter(adapter), webgpu, passes };
  } finally {
    clearInterval(awake);
  }
}

async function provideWebGpu(): Promise<void> {
  const { create, globals } = (await import(PACKAGE).catch((cause: unknown) => {
    throw new Error("Dawn is not installed. Put it in place: npm install --no-save webgpu@0.6.2", { cause });
  })) as { create(options: string[]): GPU; globals: object };
  Object.assign(globalThis, globals);
  const navigator = { gpu: create([]), hardwareConcurrency: 1, userAgent: "Node" };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
  const write = GPUQueue.prototype.writeBuffer;
  GPUQueue.prototype.writeBuffer = function (buffer, at, data, from = 0, size?: number) {
    const view = ArrayBuffer.isView(data) ? (data as Uint8Array) : new Uint8Array(data as ArrayBuffer);
    const unit = view.BYTES_PER_ELEMENT;
    const bytes = size === undefined ? view.byteLength - from * unit : size * unit;
    // ORT's memory may be shared, which Dawn refuses.
    return write.call(this, buffer, at, new Uint8Array(view.buffer, view.byteOffset + from * unit, bytes).slice());
  };
}

const platform: Platform = {
  ...wasmOnly,
  findAdapter,
  startWebGpu(adapter) {
    const dist = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
    const address = (file: string) => pathToFileURL(join(dist, `ort-wasm-simd-threaded.${file}`)).href;
    const build = (name: string) => ({ mjs: address(`${name}.mjs`), wasm: address(`${name}.wasm`) });
    return startWebGpu(adapter, { jspi: build("jspi"), asyncify: build("asyncify") });
  },
};

function openModel(folder: string): Promise<OpenModel> {
  return openModelOn(platform, {
    baseUrl: `${pathToFileURL(folder).href}/`,
    wanted: "webgpu",
    fetchFile: async (url) => new Response(await readFile(new URL(url))),
  });
}
