/** Exported models, open in a page without the engine and its worker. */
import jspiMjs from "onnxruntime-web/ort-wasm-simd-threaded.jspi.mjs?url";
import jspiWasm from "onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm?url";
import wasmMjs from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import type { Platform } from "../runtime/backend";
import { type Runtime, type RuntimeFiles, startWasm } from "../runtime/runtime";
import { findAdapter, startWebGpu } from "../runtime/webgpu";
import { type OpenModel, openModelOn } from "./openModel";

const platform: Platform = {
  findAdapter,
  // Chromium suspends wasm natively, so the other build is never asked for.
  startWebGpu: (adapter) =>
    startWebGpu(adapter, { jspi: files(jspiMjs, jspiWasm), asyncify: files(jspiMjs, jspiWasm) }),
  startWasm: () => startWasm(files(wasmMjs, wasm)),
};

/** Opens an exported model, whose folder `baseUrl` names, on either backend. */
export function openModel(baseUrl: string, backend: "webgpu" | "wasm"): Promise<OpenModel> {
  return openModelOn(platform, { baseUrl, wanted: backend, fetchFile: (url, init) => fetch(url, init) });
}

/** Starts a runtime outside a worker. */
export async function startRuntime(backend: "webgpu" | "wasm"): Promise<Runtime> {
  if (backend === "wasm") return platform.startWasm();
  const adapter = await platform.findAdapter();
  if (!adapter) throw new Error("There is no WebGPU here.");
  return platform.startWebGpu(adapter);
}

function files(mjs: string, binary: string): RuntimeFiles {
  return { mjs: new URL(mjs, location.href).href, wasm: new URL(binary, location.href).href };
}
