import { ElfError } from "../../flow/errors";

/** The GPU has no room for the buffers of a run. */
export class GpuMemoryError extends ElfError {
  readonly code = "gpu-memory";
}
