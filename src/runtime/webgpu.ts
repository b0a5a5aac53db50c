import { offered } from "../delivery/offered";
import { requireWebAssembly } from "../delivery/policy";
import { ElfError } from "../flow/errors";
import {
  type Backend,
  configure,
  DeviceLostError,
  notStarted,
  Runtime,
  type RuntimeFiles,
  type WatchedDevice,
} from "./runtime";

/** WebGPU was asked for, and this browser or machine has none. */
export class NoWebGpuError extends ElfError {
  readonly code = "no-web-gpu";
}

/** That of a browser or a page that has no adapter. */
export function noWebGpu(): NoWebGpuError {
  return new NoWebGpuError(
    "This browser offers no WebGPU here.",
    "Choose the wasm backend, or use a browser with WebGPU switched on.",
  );
}

/**
 * The two WebGPU builds: `jspi` suspends wasm natively, `asyncify` works everywhere and is larger. What is left out the
 * library finds by itself, or does not.
 */
export interface WebGpuFiles {
  readonly jspi?: RuntimeFiles | undefined;
  readonly asyncify?: RuntimeFiles | undefined;
}

/** Asks for the machine's fastest adapter; null where there is no WebGPU, or where the page may not have any. */
export async function findAdapter(): Promise<GPUAdapter | null> {
  const gpu = offered(() => globalThis.navigator?.gpu);
  try {
    return (await gpu?.requestAdapter({ powerPreference: "high-performance" })) ?? null;
  } catch {
    return null;
  }
}

/** What `describeAdapter` and `isSoftwareAdapter` need to know of an adapter. */
export interface AdapterFacts {
  readonly info: Partial<
    Pick<GPUAdapterInfo, "vendor" | "architecture" | "device" | "description" | "isFallbackAdapter">
  >;
}

/** True for adapters that compute on the CPU, which wasm does faster. */
export function isSoftwareAdapter({ info }: AdapterFacts): boolean {
  const words = [info.vendor, info.architecture, info.device, info.description].join(" ");
  return Boolean(info.isFallbackAdapter) || /swiftshader|llvmpipe|lavapipe|softpipe|basic render|warp\b/i.test(words);
}

/** Whether a model is run on it: a GPU in software counts only where WebGPU is asked for, and `auto` passes it over. */
export function counts(adapter: AdapterFacts, wanted: Backend | "auto"): boolean {
  return wanted === "webgpu" || !isSoftwareAdapter(adapter);
}

/** A name for the person: the description where there is one, else vendor and architecture. */
export function describeAdapter({ info }: AdapterFacts): string {
  return info.description || [info.vendor, info.architecture].filter(Boolean).join(" ") || "GPU";
}

/**
 * Starts the WebGPU build on a device of our own: one made by the library would end with its last session.
 * @throws {PolicyError} WebAssembly is forbidden here: this build is a part of it, too.
 * @throws {NoWebGpuError} the adapter gives no device.
 * @throws {RuntimeError} the build cannot be loaded.
 */
export async function startWebGpu(adapter: GPUAdapter, files: WebGpuFiles): Promise<Runtime> {
  requireWebAssembly();
  let device: GPUDevice;
  try {
    device = await adapter.requestDevice({
      requiredFeatures: (["shader-f16", "subgroups"] as const).filter((feature) => adapter.features.has(feature)),
      requiredLimits: greatestLimits(adapter.limits),
    });
  } catch (cause) {
    throw new NoWebGpuError(
      `The GPU (${describeAdapter(adapter)}) gives no device: ${cause instanceof Error ? cause.message : String(cause)}.`,
      "Choose the wasm backend, or close other pages that use the GPU.",
      { cause },
    );
  }
  try {
    const suspends = "Suspending" in WebAssembly;
    const ort = await (suspends ? import("onnxruntime-web/jspi") : import("onnxruntime-web/webgpu"));
    configure(ort, suspends ? files.jspi : files.asyncify, 1);
    return new Runtime("webgpu", ort, { name: "webgpu", device } as { name: "webgpu" }, watch(device));
  } catch (cause) {
    device.destroy();
    throw notStarted("webgpu", cause);
  }
}

/** The limits a large model may need; the defaults are those of the weakest device. */
const WANTED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
] as const satisfies readonly (keyof GPUSupportedLimits)[];

function greatestLimits(limits: GPUSupportedLimits): Record<string, number> {
  return Object.fromEntries(WANTED_LIMITS.map((name) => [name, limits[name]]));
}

function watch(device: GPUDevice): WatchedDevice {
  let released = false;
  let fault: Error | undefined;
  // Memory that the runtime could not have does not fail its call: it computes nonsense in a buffer that is none.
  device.addEventListener("uncapturederror", ({ error }) => {
    fault ??= new Error(error instanceof GPUOutOfMemoryError ? `out of memory: ${error.message}` : error.message);
  });
  const lost = device.lost.then(({ message }): Promise<never> => {
    // Our own release reports itself as a loss too.
    if (released) return new Promise<never>(() => {});
    throw new DeviceLostError(
      `The GPU was lost${message ? `: ${message}` : "."}`,
      "Load the model again; if it happens again, choose the wasm backend.",
    );
  });
  return {
    device,
    lost,
    release: () => {
      released = true;
      device.destroy();
    },
    takeFault: () => {
      const taken = fault;
      fault = undefined;
      return taken;
    },
  };
}
