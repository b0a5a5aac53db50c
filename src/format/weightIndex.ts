import * as z from "zod/mini";
import { ElfError } from "../flow/errors";
import { faultIn, shortened } from "./faultIn";
import { DTYPES, type Dtype } from "./manifest";

/** The version of `onnx/weights-<dtype>.json` that this code reads (export/FORMAT.md). */
export const INDEX_SCHEMA_VERSION = 1;

/** An index of weights that is not what the format says. */
export class WeightIndexError extends ElfError {
  readonly code = "weight-index";
}

const bytes = z.int().check(z.minimum(0));
const place = z.object({ file: z.int().check(z.minimum(0)), offset: bytes });
type Place = z.infer<typeof place>;
/** A file that graphs name as the home of weights, and that the reader makes. */
const virtualFile = z.object({ path: z.string().check(z.minLength(1)), bytes, graphs: z.array(z.string()) });

const tensor = z.object({
  name: z.string().check(z.minLength(1)),
  shape: z.array(z.int().check(z.positive())),
  encoding: z.enum(DTYPES),
  /** Weights to a scale; q8 and q4 only. */
  block: z.optional(z.int().check(z.positive(), z.multipleOf(2))),
  /** In the stream of all shards, end to end. */
  offset: bytes,
  bytes,
  plain: place,
  /** In the files of the packed graphs: as values and scales, or as float32. */
  packed: z.optional(z.union([place, z.object({ values: place, scales: place })])),
});

/** The index as written; docs/public/schema has it as JSON Schema. */
export const weightIndexSchema = z.object({
  schemaVersion: z.literal(INDEX_SCHEMA_VERSION),
  dtype: z.enum(DTYPES),
  bytes,
  files: z.array(virtualFile),
  packedFiles: z.optional(z.array(virtualFile)),
  tensors: z.array(tensor),
});

/** Where each tensor of a dtype lies in its shards, and where the graphs look for it. */
export type WeightIndex = Readonly<z.infer<typeof weightIndexSchema>>;
export type StoredTensor = WeightIndex["tensors"][number];

/** How many numbers a tensor has. */
export function sizeOf({ shape }: Pick<StoredTensor, "shape">): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Bytes that a tensor takes in the files of packed graphs: a quantised kernel its values and its scales as float32. */
export function packedBytes({ shape, encoding, block = 1 }: StoredTensor): { values: number; scales: number } {
  const [inputs = 0, outputs = 0] = shape;
  const blocks = outputs * Math.ceil(inputs / block);
  return { values: (blocks * block * (encoding === "q8" ? 8 : 4)) / 8, scales: 4 * blocks };
}

/** Where a tensor lies in the files of packed graphs, one place or two. */
export function placesOf(packed: NonNullable<StoredTensor["packed"]>): Place[] {
  return "values" in packed ? [packed.values, packed.scales] : [packed];
}

/**
 * Reads the text of an index.
 * @throws {WeightIndexError} it is none, or it contradicts itself; the message names the field or the tensor.
 */
export function parseWeightIndex(text: string): WeightIndex {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw wrong("it is not JSON", cause);
  }
  const result = weightIndexSchema.safeParse(json);
  if (!result.success) {
    const { field, how } = faultIn(result.error);
    throw wrong(`${field}: ${how}`);
  }
  for (const entry of result.data.tensors) checkTensor(entry, result.data);
  return result.data;
}

function checkTensor(entry: StoredTensor, { bytes, files, packedFiles = [] }: WeightIndex): void {
  const expected = storedBytes(entry);
  if (entry.bytes !== expected) throw wrong(`${entry.name} takes ${entry.bytes} bytes and not ${expected}`);
  if (entry.offset + entry.bytes > bytes) throw wrong(`${entry.name} ends behind the last byte`);
  checkPlace(entry.name, entry.plain, 4 * sizeOf(entry), files);
  if (!entry.packed) return;
  if (!("values" in entry.packed)) {
    checkPlace(entry.name, entry.packed, 4 * sizeOf(entry), packedFiles);
    return;
  }
  if (entry.encoding in FLOAT_BYTES) throw wrong(`${entry.name} has no values and scales`);
  const { values, scales } = packedBytes(entry);
  checkPlace(entry.name, entry.packed.values, values, packedFiles);
  checkPlace(entry.name, entry.packed.scales, scales, packedFiles);
}

function checkPlace(name: string, place: Place, size: number, files: WeightIndex["files"]): void {
  const file = files[place.file];
  if (!file) throw wrong(`${name} lies in a file that is not listed`);
  if (place.offset % 4 !== 0) throw wrong(`${name} does not lie at a multiple of 4`);
  if (place.offset + size > file.bytes) throw wrong(`${name} ends behind ${file.path}`);
}

/** Bytes per number of the encodings that are no blocks. */
const FLOAT_BYTES: Partial<Record<Dtype, number>> = { f32: 4, f16: 2 };

function storedBytes({ name, shape, encoding, block }: StoredTensor): number {
  const each = FLOAT_BYTES[encoding];
  if (each) return each * sizeOf({ shape });
  const [inputs, outputs] = shape;
  if (shape.length !== 2 || !inputs || !outputs || !block) throw wrong(`${name} cannot be stored as ${encoding}`);
  const bits = encoding === "q8" ? 8 : 4;
  return outputs * Math.ceil(inputs / block) * ((block * bits) / 8 + 2);
}

function wrong(detail: string, cause?: unknown): WeightIndexError {
  return new WeightIndexError(
    `The index of the model's weights is wrong: ${shortened(detail)}.`,
    "Export the model again with `elf export`.",
    { cause },
  );
}
