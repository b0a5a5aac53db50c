import type { Platform } from "../runtime/backend";
import type { GpuNetwork } from "../runtime/gpu/network";
import { type LoadOptions, loadModel, type Model } from "../runtime/load";
import type { Runtime } from "../runtime/runtime";

/** A model as runs are written by it, and the runtime that it computes by, for its passes to be counted. */
export interface OpenModel extends Model {
  readonly runtime: Runtime;
}

/** Loads a model, as the engine loads it, on one of the backends of a platform. */
export async function openModelOn(platform: Platform, options: Omit<LoadOptions, "platform">): Promise<OpenModel> {
  let runtime: Runtime | undefined;
  const kept = async (starting: Promise<Runtime>) => {
    runtime = await starting;
    return runtime;
  };
  const model = await loadModel({
    ...options,
    platform: {
      findAdapter: () => platform.findAdapter(),
      startWebGpu: (adapter) => kept(platform.startWebGpu(adapter)),
      startWasm: () => kept(platform.startWasm()),
    },
  });
  if (!runtime) throw new Error("The model was loaded without a runtime.");
  return { ...model, runtime };
}

/** The loop's view of a model that is open on WebGPU. */
export function gpuNetwork({ gpu }: OpenModel): GpuNetwork {
  if (!gpu) throw new Error("The model is not open on WebGPU.");
  return gpu;
}
