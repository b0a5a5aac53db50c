/** Exported models, open in a page without the engine and its worker. */
import jspiMjs from "onnxruntime-web/ort-wasm-simd-threaded.jspi.mjs?url";
import jspiWasm from "onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm?url";
import wasmMjs from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import { Delivery } from "../delivery/delivery";
import { type GraphName, NETWORK_GRAPHS, networkParts } from "../delivery/networkParts";
import { memoryStorage } from "../delivery/store/storage";
import { openNetwork } from "../runtime/arrayNetwork";
import { type Runtime, startWasm } from "../runtime/runtime";
import { findAdapter, startWebGpu } from "../runtime/webgpu";
import type { OpenModel } from "./measure";

/** Opens an exported model, whose folder `baseUrl` names, on either backend. */
export async function openModel(baseUrl: string, backend: "webgpu" | "wasm"): Promise<OpenModel> {
  const fetchFile = (url: string, init?: RequestInit) => fetch(url, init);
  const delivery = await Delivery.open({ baseUrl, fetchFile, storage: memoryStorage() });
  const { manifest } = delivery;
  const runtime = await startRuntime(backend);
  const graphs: GraphName[] = [...NETWORK_GRAPHS, "encoder"];
  const parts = await networkParts(manifest, manifest.defaultDtype, graphs, (path) => delivery.read(path));
  return { manifest, runtime, network: await openNetwork(manifest, parts, runtime) };
}

/** Starts a runtime outside a worker. */
export async function startRuntime(backend: "webgpu" | "wasm"): Promise<Runtime> {
  const files = (mjs: string, binary: string) => ({
    mjs: new URL(mjs, location.href).href,
    wasm: new URL(binary, location.href).href,
  });
  if (backend === "wasm") return startWasm(files(wasmMjs, wasm));
  const adapter = await findAdapter();
  if (!adapter) throw new Error("There is no WebGPU here.");
  // Chromium suspends wasm natively, so the other build is never asked for.
  return startWebGpu(adapter, { jspi: files(jspiMjs, jspiWasm), asyncify: files(jspiMjs, jspiWasm) });
}
