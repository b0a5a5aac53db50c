/** Reads safetensors files: a header in JSON, then the numbers of all tensors (github.com/huggingface/safetensors). */
import * as z from "zod/mini";
import { ElfError } from "../flow/errors";
import { faultIn, shortened } from "./faultIn";

/** A file that is no safetensors file, or of types this project does not use. */
export class SafetensorsError extends ElfError {
  readonly code = "safetensors";
}

export interface TensorData {
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** The types this project writes: their bytes a number, and how they are read. */
const TYPES = {
  F32: { bytes: 4, read: (bytes: ArrayBuffer) => new Float32Array(bytes) },
  I64: { bytes: 8, read: (bytes: ArrayBuffer) => new BigInt64Array(bytes) },
} as const;

/** The size of the header, as a number of 64 bits. */
const PREAMBLE_BYTES = 8;

const count = z.int().check(z.minimum(0));
const entrySchema = z.object({
  dtype: z.enum(["F32", "I64"]),
  shape: z.array(count),
  data_offsets: z.tuple([count, count]),
});

/**
 * The tensors of a file by name, each a copy of its own.
 * @throws {SafetensorsError} naming what is wrong, and the tensor.
 */
export function parseSafetensors(file: Uint8Array): Map<string, TensorData> {
  if (file.length < PREAMBLE_BYTES) throw broken("it is too short");
  const size = new DataView(file.buffer, file.byteOffset).getBigUint64(0, true);
  if (size > BigInt(file.length - PREAMBLE_BYTES)) throw broken("its header does not end");
  const start = PREAMBLE_BYTES + Number(size);
  const body = file.subarray(start);
  const tensors = new Map<string, TensorData>();
  for (const [name, entry] of Object.entries(headerOf(file.subarray(PREAMBLE_BYTES, start)))) {
    if (name === "__metadata__") continue;
    const { data, error } = entrySchema.safeParse(entry);
    if (error) throw broken(`the header is wrong at ${faultIn(error, [name]).field}`);
    const { dtype, shape } = data;
    const [first, end] = data.data_offsets;
    const bytes = shape.reduce((count, dimension) => count * dimension, TYPES[dtype].bytes);
    if (end > body.length || end - first !== bytes)
      throw broken(`its tensor ${shortened(name)} does not lie inside it`);
    // A copy: numbers may begin at any byte of the file, but not of an array.
    tensors.set(name, { shape, data: TYPES[dtype].read(new Uint8Array(body.subarray(first, end)).buffer) });
  }
  return tensors;
}

function headerOf(bytes: Uint8Array): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof header === "object" && header !== null) return header as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw broken("its header is not JSON");
}

function broken(how: string): SafetensorsError {
  return new SafetensorsError(`This is no safetensors file: ${how}.`, "Export the model again with `elf export`.");
}
