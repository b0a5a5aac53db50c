import { deviceBytes, type Machine } from "./memoryPlan";
import type { Backend } from "./runtime";
import { counts, findAdapter } from "./webgpu";

/** What this machine gives to a model, its GPU where that `counts`. */
export async function findMachine(wanted: Backend | "auto"): Promise<Machine> {
  const adapter = await findAdapter();
  return {
    limits: adapter && counts(adapter, wanted) ? adapter.limits : null,
    deviceBytes: deviceBytes(),
  };
}
