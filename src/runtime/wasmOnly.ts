import type { Platform } from "./backend";
import { startWasm } from "./runtime";
import { NoWebGpuError } from "./webgpu";

/** Where there is no GPU to ask for, as in Node. */
export const wasmOnly: Platform = {
  startWasm,
  findAdapter: async () => null,
  startWebGpu: async () => {
    throw new NoWebGpuError("There is no WebGPU here.", "Use wasm.");
  },
};
