import { formatBytes } from "../delivery/bytes";
import { ElfError } from "../flow/errors";
import { feedForwardSize, networkParameters, WEIGHT_BYTES } from "../format/architecture";
import type { Dtype, Manifest } from "../format/manifest";
import type { Backend } from "./runtime";

/** A model that does not fit into what this device or browser gives. */
export class TooLargeError extends ElfError {
  readonly code = "too-large";
}

/** What of a GPU's limits decides; `GPUSupportedLimits` fits. */
export interface GpuLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
}

/** One way to run a model. */
export interface PlannedRun {
  readonly dtype: Dtype;
  readonly backend: Backend;
  /** L, in tokens. */
  readonly length: number;
  /** Samples side by side; guidance by two passes needs two. */
  readonly batch: number;
}

/** What the machine gives. */
export interface Machine {
  /** Of the GPU; null without one. */
  readonly limits: GpuLimits | null;
  /** Memory of the device in bytes, as far as the browser tells; browsers tell no more than 8 GB. */
  readonly deviceBytes: number | null;
}

/** Memory of this device, as far as it tells. */
export function deviceBytes(): number | null {
  const { deviceMemory } = (globalThis.navigator ?? {}) as { deviceMemory?: number };
  return deviceMemory === undefined ? null : deviceMemory * 2 ** 30;
}

export interface MemoryPart {
  readonly name: "weights" | "reading prompts" | "activations" | "reading the text" | "runtime";
  readonly bytes: number;
}

export interface MemoryPlan {
  readonly run: PlannedRun;
  /** Whether the weights stay in the GPU's memory as they are stored, which is slower. */
  readonly isPacked: boolean;
  /** What a run holds. */
  readonly parts: readonly MemoryPart[];
  readonly bytes: number;
  /** What loading holds at its height. */
  readonly peakBytes: number;
  /** Why it cannot run here, as a sentence; null where it can. */
  readonly refusal: string | null;
  /** Why it may go slowly or fail all the same; null where nothing speaks for it. */
  readonly doubt: string | null;
}

const FLOAT = 4;
// Addresses of 32 bits: no memory of WebAssembly is larger.
const WASM_BYTES = 4 * 2 ** 30;
// The vocabulary is read in chunks of at most this (export/FORMAT.md).
const CHUNK_BYTES = 64 * 2 ** 20;
// The runtime's code and what it compiles.
const RUNTIME_BYTES = 80e6;
// What the memory of WebAssembly grows beyond what it holds: 1.24 and 1.28 times the weights were measured.
const WASM_SPARE = 0.25;
/**
 * What the runtime's arena takes beyond what a pass holds at a time, for it grows by doubling: 64 samples of `stories` took 712 MB
 * more than one, where the two parts together say 378.
 */
const ARENA_SPARE = 1;
// Prefix tokens of time, scale and mode; a few more or less do not matter.
const PREFIX_TOKENS = 16;
// Denoiser and decoder are the same network but for their heads, and each session holds its own weights.
const SESSIONS = 2;
// Bits of a packed weight and its share of a float32 scale, in blocks of 16 and of 32.
const PACKED_BITS: Partial<Record<Dtype, number>> = { q8: 10, q4: 5 };

/** Whether the model has graphs that take these weights as they are stored; in wasm they are always expanded. */
function canStayPacked({ graphs }: Manifest, { dtype, backend }: PlannedRun): boolean {
  if (backend !== "webgpu" || (dtype !== "q8" && dtype !== "q4")) return false;
  return graphs.denoiser.packed?.[dtype] !== undefined && graphs.decoder.packed?.[dtype] !== undefined;
}

// What samples that are written at once may take beside the weights, and each of their tensors: what every GPU binds.
const AT_ONCE_BYTES = 512 * 2 ** 20;
const EVERY_BINDING = 128 * 2 ** 20;

/**
 * How many runs of `length` tokens may be written at once on a GPU, by the plan of their memory: at least 1.
 * @param rows samples of the network that each of them takes: one for each pass of a prediction, two where it is read.
 */
export function runsAtOnce(manifest: Manifest, length: number, rows: number): number {
  const fits = (runs: number) => {
    const { activations, reading, largest } = needsOf(manifest, { length, batch: rows * runs });
    return activations + reading <= AT_ONCE_BYTES && largest <= EVERY_BINDING;
  };
  let runs = 1;
  while (runs < MOST_AT_ONCE && fits(runs + 1)) runs++;
  return runs;
}

// More gain nothing: by then a GPU has enough to do.
const MOST_AT_ONCE = 16;

/** The run that a model is made for; guidance by two passes takes two rows. */
export function usualRun({ architecture, defaults }: Manifest, dtype: Dtype, backend: Backend): PlannedRun {
  return { dtype, backend, length: defaults.length, batch: architecture.selfCondCfgTokens > 0 ? 1 : 2 };
}

/** What a run of `manifest` needs, reckoned from its shapes alone, and whether the machine gives it, in bytes. */
export function planMemory(manifest: Manifest, run: PlannedRun, machine: Machine): MemoryPlan {
  // In Chromium on wasm 1,072 MB were measured of ELF-B, its encoder not yet loaded, where this says 1,362, and 90 MB of the
  // shipped model where it says 141. Weights stay packed only where they have to.
  const expanded = planInForm(manifest, run, machine, false);
  const suffices = expanded.refusal === null && expanded.doubt === null;
  return suffices || !canStayPacked(manifest, run) ? expanded : planInForm(manifest, run, machine, true);
}

/** Memory of a usual run of the model: on the GPU if there is a real one, else in wasm. */
export function usualPlan(manifest: Manifest, dtype: Dtype, machine: Machine, backend: Backend | "auto"): MemoryPlan {
  const inWasm = planMemory(manifest, usualRun(manifest, dtype, "wasm"), machine);
  if (backend === "wasm" || (backend === "auto" && !machine.limits)) return inWasm;
  const onGpu = planMemory(manifest, usualRun(manifest, dtype, "webgpu"), machine);
  return backend === "auto" && onGpu.refusal !== null && inWasm.refusal === null ? inWasm : onGpu;
}

function planInForm(manifest: Manifest, run: PlannedRun, machine: Machine, packed: boolean): MemoryPlan {
  const { hiddenSize: H, latentSize: D, vocabularySize: V } = manifest.architecture;
  const parameters = networkParameters(manifest.architecture);
  const expanded = parameters * FLOAT;
  const bits = (packed && PACKED_BITS[run.dtype]) || 8 * FLOAT;
  const weights = (SESSIONS * parameters * bits) / 8;
  const { activations, reading, largest: largestOfRun } = needsOf(manifest, run);
  const encoder = encoderParameters(manifest, run.dtype, parameters) * FLOAT;
  const spare = run.backend === "wasm" ? WASM_SPARE * (weights + encoder) + ARENA_SPARE * (activations + reading) : 0;
  const parts: MemoryPart[] = [
    { name: "weights", bytes: weights },
    ...(encoder > 0 ? [{ name: "reading prompts" as const, bytes: encoder }] : []),
    { name: "activations", bytes: activations },
    { name: "reading the text", bytes: reading },
    { name: "runtime", bytes: RUNTIME_BYTES + spare },
  ];
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  const stored = manifest.dtypes[run.dtype]?.bytes ?? 0;
  const peakBytes = bytes + (packed ? stored : expanded);
  const largest = Math.max(
    largestOfRun,
    packed ? 0 : D * V * FLOAT,
    packed ? 0 : 2 * H * feedForwardSize({ hiddenSize: H }) * FLOAT,
  );
  return {
    run,
    isPacked: packed,
    parts,
    bytes,
    peakBytes,
    // Where memory ends, it grows no further than it has to.
    refusal: refusalOf(run, bytes - spare, largest, machine),
    doubt:
      machine.deviceBytes !== null && peakBytes > 0.75 * machine.deviceBytes
        ? `This device says it has ${formatBytes(machine.deviceBytes)} of memory, for all programs together.`
        : null,
  };
}

/** What passes of the network hold beside the weights, and the largest of their tensors, in bytes. */
function needsOf({ architecture }: Manifest, { length, batch }: Pick<PlannedRun, "length" | "batch">) {
  const { heads, hiddenSize: H, latentSize: D, vocabularySize: V } = architecture;
  const tokens = length + PREFIX_TOKENS;
  const scores = batch * heads * tokens * tokens * FLOAT;
  const rows = batch * tokens * FLOAT * (10 * H + 3 * feedForwardSize(architecture) + 4 * D);
  const logits = Math.min(CHUNK_BYTES, batch * length * V * FLOAT);
  return { activations: 2 * scores + rows, reading: 3 * logits, largest: Math.max(scores, logits) };
}

/** Weights of the encoder of prompts, which is loaded with the first: what is stored beside the network. */
function encoderParameters({ dtypes, graphs, architecture }: Manifest, dtype: Dtype, network: number): number {
  if (!graphs.encoder || architecture.maxInputLength === 0) return 0;
  return Math.max(0, (dtypes[dtype]?.bytes ?? 0) / WEIGHT_BYTES[dtype] - network);
}

function refusalOf({ backend }: PlannedRun, bytes: number, largest: number, { limits }: Machine): string | null {
  if (backend === "wasm") {
    if (bytes <= WASM_BYTES) return null;
    return `It needs ${formatBytes(bytes)}, and WebAssembly has room for ${formatBytes(WASM_BYTES)}.`;
  }
  if (!limits) return "This browser offers no WebGPU here.";
  const most = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  if (largest <= most) return null;
  return `One of its tensors takes ${formatBytes(largest)}, and this GPU binds at most ${formatBytes(most)}.`;
}

/**
 * The plan nearest to `wanted` that fits: first with other weights of the same length, then shorter, then on the other
 * backend. Null where nothing fits.
 */
export function nearestPlan(manifest: Manifest, wanted: PlannedRun, machine: Machine): MemoryPlan | null {
  const dtypes = [wanted.dtype, ...(["f16", "q8", "q4"] as const).filter((dtype) => manifest.dtypes[dtype])];
  const lengths: number[] = [];
  for (let length = wanted.length; length >= Math.min(32, wanted.length); length = Math.floor(length / 2)) {
    lengths.push(length);
  }
  const backends = [wanted.backend, wanted.backend === "wasm" ? "webgpu" : "wasm"] as const;
  for (const backend of backends) {
    for (const length of lengths) {
      for (const dtype of dtypes) {
        const plan = planMemory(manifest, { ...wanted, backend, length, dtype }, machine);
        if (plan.refusal === null) return plan;
      }
    }
  }
  return null;
}

/** A run in a few words, as far as it differs from `from`. */
export function describeChange(run: PlannedRun, from: PlannedRun): string {
  return [
    ...(run.backend === from.backend ? [] : [run.backend === "wasm" ? "the wasm backend" : "the WebGPU backend"]),
    ...(run.dtype === from.dtype ? [] : [`the precision ${run.dtype}`]),
    ...(run.length === from.length ? [] : [`a length of ${run.length} tokens`]),
  ].join(" and ");
}

/**
 * Refuses a load that cannot end well.
 * @throws {TooLargeError} with the nearest choice that fits.
 */
export function requireMemory(manifest: Manifest, wanted: PlannedRun, machine: Machine): void {
  const { refusal } = planMemory(manifest, wanted, machine);
  if (refusal === null) return;
  const nearest = nearestPlan(manifest, wanted, machine);
  throw new TooLargeError(
    `${manifest.title} does not fit here. ${refusal}`,
    nearest
      ? `With ${describeChange(nearest.run, wanted)} it needs ${formatBytes(nearest.bytes)} and fits.`
      : "Choose a smaller model, or a device with more memory.",
  );
}
