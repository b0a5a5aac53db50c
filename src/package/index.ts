/**
 * `elf-playground` in a browser: loads models and writes texts with them in this thread. A page that is to stay quick has
 * them in a worker: `elf-playground/worker`.
 * @packageDocumentation
 */
import { fetchFromHost, readSource } from "../delivery/sources";
import { openStorage } from "../delivery/store/storage";
import type { Platform } from "../runtime/backend";
import { loadModel as load } from "../runtime/load";
import { startWasm } from "../runtime/runtime";
import { findAdapter, startWebGpu } from "../runtime/webgpu";
import { ElfModel } from "./model";
import type { LoadModelOptions } from "./options";

export * from "./headless";
export type { LoadModelOptions };

/**
 * Loads a model: of the hub by `OWNER/NAME` or `OWNER/NAME@REVISION`, or from the address of a folder that `elf export`
 * wrote. Its files are kept for the next visit where the browser allows it in this thread (a worker), and checked against
 * their SHA-256 always.
 * @throws {SourceError} the address is none. @throws every named error of loading: files that are missing or wrong, a GPU
 * that is not there or computes wrong numbers, too little memory. @throws {CancelledError} the signal was aborted.
 */
export async function loadModel(source: string | URL, options: LoadModelOptions = {}): Promise<ElfModel> {
  const { backend = "auto", dtype, signal, onProgress, runtime = {} } = options;
  const platform: Platform = {
    findAdapter,
    startWebGpu: (adapter) => startWebGpu(adapter, runtime),
    startWasm: () => startWasm(runtime.wasm),
  };
  const { baseUrl } = readSource(String(source), globalThis.location?.href ?? "http://localhost/");
  const storage = await openStorage();
  return new ElfModel(
    await load({ baseUrl, dtype, wanted: backend, platform, fetchFile: fetchFromHost, storage, signal, onProgress }),
  );
}
