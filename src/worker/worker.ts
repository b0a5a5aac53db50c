/** The worker: an `Engine` on this browser's backends, behind Comlink. Started by `client.ts`. */
import { expose, type Remote } from "comlink";
import asyncifyMjs from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import asyncifyWasm from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";
import jspiMjs from "onnxruntime-web/ort-wasm-simd-threaded.jspi.mjs?url";
import jspiWasm from "onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm?url";
import wasmMjs from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import { clearOrphans } from "../delivery/library";
import { watchPolicy } from "../delivery/policy";
import { fetchFor } from "../delivery/sources";
import { holdForLife } from "../delivery/store/locks";
import { openStorage } from "../delivery/store/storage";
import type { LoadProgress, ReadEvent, RecallEvent, RunEvent } from "../run/api";
import { Engine } from "../run/engine";
import type { Platform } from "../runtime/backend";
import { loadModel } from "../runtime/load";
import { type RuntimeFiles, startWasm } from "../runtime/runtime";
import { findAdapter, startWebGpu } from "../runtime/webgpu";
import { carryErrors } from "./namedErrors";
import type { WorkerApi } from "./protocol";
import { delivering } from "./reports";
import { Requests } from "./requests";

/** The runtime comes from the page's own origin, wherever the page was built to lie. */
function files(mjs: string, binary: string): RuntimeFiles {
  return { mjs: new URL(mjs, import.meta.url).href, wasm: new URL(binary, import.meta.url).href };
}

watchPolicy();
const storage = openStorage();

const platform: Platform = {
  findAdapter,
  startWebGpu: (adapter) =>
    startWebGpu(adapter, { jspi: files(jspiMjs, jspiWasm), asyncify: files(asyncifyMjs, asyncifyWasm) }),
  startWasm: () => startWasm(files(wasmMjs, wasm)),
};

const engine = new Engine(async ({ baseUrl, files: dropped, dtype, backend }, { signal, onProgress }) => {
  const fetchFile = fetchFor(baseUrl, dropped);
  const kept = await storage;
  const options = { baseUrl, dtype, wanted: backend, platform, fetchFile, storage: kept, signal, onProgress };
  const model = await loadModel(options);
  // A model that was exported anew leaves its old files behind. What cannot be deleted now can be later.
  clearOrphans(kept).catch(() => {});
  return model;
});

const requests = new Requests();

carryErrors();
expose({
  load: (handle, request, onProgress) =>
    requests.handle(handle, (signal) =>
      delivering(onProgress as Remote<typeof onProgress>, (report: (progress: LoadProgress) => void) =>
        engine.load(request, report, signal),
      ),
    ),
  generate: (handle, request, onEvent) =>
    requests.handle(handle, (signal) =>
      delivering(onEvent as Remote<typeof onEvent>, (report: (event: RunEvent) => void) =>
        engine.generate(request, report, signal),
      ),
    ),
  read: (handle, request, onEvent) =>
    requests.handle(handle, (signal) =>
      delivering(onEvent as Remote<typeof onEvent>, (report: (event: ReadEvent) => void) =>
        engine.read(request, report, signal),
      ),
    ),
  paths: (handle, recipe, frames, onEvent) =>
    requests.handle(handle, (signal) =>
      delivering(onEvent as Remote<typeof onEvent>, (report: (event: RecallEvent) => void) =>
        engine.paths(recipe, frames, report, signal),
      ),
    ),
  cancel: async (handle) => requests.cancel(handle),
  tokenize: (text) => engine.tokenize(text),
  dispose: () => engine.dispose(),
  // The browser frees the lock when this worker ends, however it ends.
  hold: (lock) => holdForLife(lock),
  watch: () => engine.watch(),
} satisfies WorkerApi);
