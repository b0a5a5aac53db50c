import { type ChosenBackend, VARIANT_NAMES } from "./backend";
import type { Backend } from "./runtime";

/** What a loaded model runs on. */
export type RunsOn = Pick<ChosenBackend, "backend" | "variant" | "threads">;

export function backendName(backend: Backend): string {
  return backend === "webgpu" ? "WebGPU" : "WASM";
}

/** What of it the backend's name does not say: the kernels, or the threads. */
export function kernelsInWords({ backend, variant, threads }: RunsOn): string {
  if (backend === "webgpu") return VARIANT_NAMES[variant];
  return `${threads} ${threads === 1 ? "thread" : "threads"}`;
}

/** In a few words: "WebGPU · fused attention", "WASM · 2 threads". */
export function backendInWords(on: RunsOn): string {
  return `${backendName(on.backend)} · ${kernelsInWords(on)}`;
}
