import { deviceBytes, type Machine } from "./memoryPlan";
import { findAdapter, isSoftwareAdapter } from "./webgpu";

/** What this machine gives to a model. A GPU in software counts as none: its memory is the CPU's, and `auto` passes it over. */
export async function findMachine(): Promise<Machine> {
  const adapter = await findAdapter().catch(() => null);
  return {
    limits: adapter && !isSoftwareAdapter(adapter) ? adapter.limits : null,
    deviceBytes: deviceBytes(),
  };
}
