import type { Clamp } from "../../flow/clamp";
import type { Condition } from "../../flow/condition";
import type { FlowState } from "../../flow/sampler";
import { GpuMemoryError } from "./errors";
import { type Dispatch, type RunShape, STEP_BYTES } from "./plan";

/** Everything of one run that lives on the device; the names are those of `step-wgsl.ts`. */
export interface RunBuffers {
  readonly shape: RunShape & { readonly batch: number; readonly length: number };
  readonly steps: GPUBuffer;
  /** Bytes from one dispatch's parameters to the next's. */
  readonly stepStride: number;
  readonly answers: GPUBuffer;
  readonly shown: GPUBuffer;
  readonly input: GPUBuffer;
  readonly previous: GPUBuffer;
  /** What the denoiser is told of time and scale: for every pass of the run, one behind the other. */
  readonly prefixes: GPUBuffer;
  /** The same for the next pass alone. */
  readonly prefix: GPUBuffer;
  readonly holds: GPUBuffer;
  readonly anchors: GPUBuffer;
  readonly overflows: GPUBuffer;
  /** The self-conditioning scale of each row that the decoder reads: z and x̂ of every sample. */
  readonly scales: GPUBuffer;
  /** Bytes of all of them. */
  readonly bytes: number;
  destroy(): void;
}

export interface BufferContents {
  readonly shape: RunBuffers["shape"];
  readonly plan: readonly Dispatch[];
  /** Bytes of one pass's prefix. */
  readonly prefixBytes: number;
  readonly condition: Condition | undefined;
  readonly clamp: Clamp | undefined;
  readonly selfCondScale: number;
  /** z, x̂ and the x̂ before of the state that the run begins from; each (B, L, D). */
  readonly entry: Pick<FlowState, "z" | "prediction" | "older"> | undefined;
}

const FLOAT = Float32Array.BYTES_PER_ELEMENT;

/**
 * Makes and fills the buffers of a run.
 * @throws {GpuMemoryError} the device has no room for them; what was made is freed again.
 */
export async function makeBuffers(device: GPUDevice, contents: BufferContents): Promise<RunBuffers> {
  const { shape, plan, prefixBytes, condition, clamp, selfCondScale, entry } = contents;
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const made: GPUBuffer[] = [];
  const make = (label: string, size: number, usage: GPUBufferUsageFlags = STORAGE | COPY_SRC | COPY_DST) => {
    const buffer = device.createBuffer({ label, size: Math.max(16, size), usage });
    made.push(buffer);
    return buffer;
  };
  const destroy = () => {
    for (const buffer of made) buffer.destroy();
  };

  const passBytes = shape.passes * shape.count * FLOAT;
  const alignment = device.limits.minUniformBufferOffsetAlignment;
  const stepStride = Math.ceil(STEP_BYTES / alignment) * alignment;
  const { holds, anchors } = holdings(shape, condition, clamp);

  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  const buffers = {
    shape,
    stepStride,
    steps: make("steps", plan.length * stepStride, UNIFORM | COPY_DST),
    answers: make("answers", passBytes),
    shown: make("shown", 3 * shape.count * FLOAT),
    input: make("input", passBytes),
    previous: make("previous", passBytes),
    prefixes: make("prefixes", (plan.length - 1) * prefixBytes),
    prefix: make("prefix", prefixBytes),
    holds: make("holds", holds.byteLength),
    anchors: make("anchors", anchors.byteLength),
    overflows: make("overflows", FLOAT),
    scales: make("scales", 2 * shape.batch * FLOAT),
    bytes: made.reduce((sum, { size }) => sum + size, 0),
    destroy,
  };
  const problem = (await device.popErrorScope()) ?? (await device.popErrorScope());
  if (problem) {
    destroy();
    throw new GpuMemoryError(
      `The GPU has no room for this run: ${problem.message}`,
      "Choose a shorter length or a smaller batch, close other pages, or choose the wasm backend.",
    );
  }

  const steps = new Uint8Array(plan.length * stepStride);
  for (const [i, { bytes }] of plan.entries()) steps.set(new Uint8Array(bytes), i * stepStride);
  const { queue } = device;
  queue.writeBuffer(buffers.steps, 0, steps);
  queue.writeBuffer(buffers.holds, 0, holds);
  queue.writeBuffer(buffers.anchors, 0, anchors);
  queue.writeBuffer(buffers.scales, 0, new Float32Array(buffers.scales.size / FLOAT).fill(selfCondScale));
  if (entry) {
    const { z, prediction, older } = entry;
    for (const [part, array] of [z, prediction, older?.prediction ?? prediction].entries()) {
      // A copy: the array may lie in shared memory, which some devices refuse.
      queue.writeBuffer(buffers.shown, part * shape.count * FLOAT, new Float32Array(array));
    }
  }
  return buffers;
}

/** What each position holds, and the latents it holds: `holds` and `anchors` of the kernel. */
function holdings(
  { count, latentSize, length }: RunBuffers["shape"],
  condition: Condition | undefined,
  clamp: Clamp | undefined,
): { holds: Uint32Array<ArrayBuffer>; anchors: Float32Array<ArrayBuffer> } {
  const holds = new Uint32Array((2 * count) / latentSize);
  const rows: Float32Array[] = [];
  const rowAt = (array: Float32Array, position: number) =>
    array.subarray(position * latentSize, (position + 1) * latentSize);
  for (const [row, held] of condition?.lengths.entries() ?? []) {
    for (let position = row * length; position < row * length + held; position++) {
      rows.push(rowAt((condition as Condition).latents, position));
      holds[2 * position] = rows.length;
    }
  }
  for (const { row, position, latent } of clamp?.fixed ?? []) {
    const place = row * length + position;
    rows.push(latent);
    holds[2 * place + 1] = rows.length;
    rows.push(rowAt((clamp as Clamp).noise, place));
  }
  const anchors = new Float32Array(rows.length * latentSize);
  for (const [i, row] of rows.entries()) anchors.set(row, i * latentSize);
  return { holds, anchors };
}

/** Copies the first `bytes` of a buffer from the device. Waits for all that was submitted before. */
export async function download(device: GPUDevice, buffer: GPUBuffer, bytes = buffer.size): Promise<ArrayBuffer> {
  const staging = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  try {
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, bytes);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    return staging.getMappedRange().slice(0);
  } finally {
    staging.destroy();
  }
}
