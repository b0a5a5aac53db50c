import { deviceBytes, type Machine } from "./memoryPlan";
import type { Backend } from "./runtime";
import { findAdapter, isSoftwareAdapter } from "./webgpu";

/** What this machine gives to a model. A GPU in software counts only where WebGPU is asked for: `auto` passes it over. */
export async function findMachine(wanted: Backend | "auto"): Promise<Machine> {
  const adapter = await findAdapter();
  const counts = adapter && (wanted === "webgpu" || !isSoftwareAdapter(adapter));
  return {
    limits: counts ? adapter.limits : null,
    deviceBytes: deviceBytes(),
  };
}
