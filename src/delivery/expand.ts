import { fromHalf } from "../flow/half";
import { packedBytes, placesOf, type StoredTensor, sizeOf, type WeightIndex } from "../format/weightIndex";

/** A file of weights, under the name by which graphs know it. */
export interface VirtualFile {
  readonly path: string;
  readonly data: Uint8Array;
  /** The graphs that read it. */
  readonly graphs: readonly string[];
}

/** Gives bytes of the stream that a dtype's shards make end to end. What it gave may be overwritten by the next read. */
export type ReadStream = (offset: number, bytes: number) => Uint8Array | Promise<Uint8Array>;

export interface ExpandOptions {
  /** Graphs whose quantised kernels stay packed. */
  readonly packed?: readonly string[];
  /** Told after each tensor how many bytes have been unpacked, and waited for; may throw to end the work. */
  readonly onTensor?: (bytes: number) => void | Promise<void>;
}

/** Makes the files of weights that `graphs` read: float32, whatever the shards hold, but for kernels that stay packed. */
export async function expandWeights(
  index: WeightIndex,
  graphs: readonly string[],
  read: ReadStream,
  { packed = [], onTensor = () => {} }: ExpandOptions = {},
): Promise<VirtualFile[]> {
  const plainFiles = reserved(index.files, (graph) => graphs.includes(graph) && !packed.includes(graph));
  const packedFiles = reserved(index.packedFiles ?? [], (graph) => graphs.includes(graph) && packed.includes(graph));
  let done = 0;
  for (const tensor of index.tensors) {
    const plainFile = plainFiles[tensor.plain.file]?.data;
    const isPacked = tensor.packed !== undefined && placesOf(tensor.packed).some(({ file }) => packedFiles[file]);
    if (!plainFile && !isPacked) continue;
    const stored = await read(tensor.offset, tensor.bytes);
    if (plainFile) decode(tensor, stored, floatsAt(plainFile, tensor.plain.offset, sizeOf(tensor)));
    if (tensor.packed) copyPacked(tensor, tensor.packed, stored, packedFiles);
    done += tensor.bytes;
    await onTensor(done);
  }
  return [...plainFiles, ...packedFiles].filter((file) => file !== undefined);
}

/** Room for the files that one of the wanted graphs reads, in their order; nothing in the place of others. */
function reserved(
  files: readonly { path: string; bytes: number; graphs: readonly string[] }[],
  isWanted: (graph: string) => boolean,
): (VirtualFile | undefined)[] {
  return files.map(({ path, bytes, graphs }) =>
    graphs.some(isWanted) ? { path, data: new Uint8Array(bytes), graphs } : undefined,
  );
}

function floatsAt(file: Uint8Array, offset: number, count: number): Float32Array {
  return new Float32Array(file.buffer, file.byteOffset + offset, count);
}

/** Writes a tensor as packed graphs read it: a quantised kernel's values as they are and its scales as float32. */
function copyPacked(
  tensor: StoredTensor,
  packed: NonNullable<StoredTensor["packed"]>,
  stored: Uint8Array,
  files: readonly (VirtualFile | undefined)[],
): void {
  if (!("values" in packed)) {
    const file = files[packed.file]?.data;
    if (file) decode(tensor, stored, floatsAt(file, packed.offset, sizeOf(tensor)));
    return;
  }
  const { values, scales } = packedBytes(tensor);
  files[packed.values.file]?.data.set(stored.subarray(0, values), packed.values.offset);
  const file = files[packed.scales.file]?.data;
  if (file) widen(stored.subarray(values), floatsAt(file, packed.scales.offset, scales / 4));
}

/** One file of the stream, read when it is needed. */
export interface Shard {
  readonly bytes: number;
  read(): Promise<Uint8Array>;
}

/** Reads the stream of these shards. Keeps the shard read last, so that reading from front to back reads each once. */
export function shardStream(shards: readonly Shard[]): ReadStream {
  let last: { readonly shard: Shard; readonly data: Uint8Array } | undefined;
  return async (offset, bytes) => {
    const parts: Uint8Array[] = [];
    let start = 0;
    for (const shard of shards) {
      const from = Math.max(0, offset - start);
      const to = Math.min(shard.bytes, offset + bytes - start);
      if (from < to) {
        if (last?.shard !== shard) {
          // Let go first: two shards at a time are one too many.
          last = undefined;
          last = { shard, data: await shard.read() };
        }
        parts.push(last.data.subarray(from, to));
      }
      start += shard.bytes;
    }
    return parts.length === 1 ? (parts[0] as Uint8Array) : joinedBytes(parts, bytes);
  };
}

function joinedBytes(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let filled = 0;
  for (const part of parts) {
    whole.set(part, filled);
    filled += part.length;
  }
  return whole;
}

/** Writes the numbers of a stored tensor, row by row. */
function decode(tensor: StoredTensor, stored: Uint8Array, target: Float32Array): void {
  if (tensor.encoding === "f32") {
    new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(stored);
  } else if (tensor.encoding === "f16") {
    widen(stored, target);
  } else {
    decodeBlocks(tensor, stored, target);
  }
}

function widen(stored: Uint8Array, target: Float32Array): void {
  const table = halfTable();
  const halves = halvesOf(stored);
  for (let i = 0; i < target.length; i++) target[i] = table[halves[i] as number] as number;
}

/**
 * The blocks of q8 and q4: for each of N columns the values, then for each its scales, to a matrix of K rows. Goes block
 * by block, so that the rows being written, one number of each at a time, stay in the cache.
 */
function decodeBlocks({ shape, encoding, block = 1 }: StoredTensor, stored: Uint8Array, target: Float32Array): void {
  const [rows = 0, columns = 0] = shape;
  const blocks = Math.ceil(rows / block);
  const bits = encoding === "q8" ? 8 : 4;
  const blockBytes = (block * bits) / 8;
  const table = halfTable();
  const scales = halvesOf(stored.subarray(columns * blocks * blockBytes));
  const middle = 2 ** (bits - 1);
  for (let b = 0; b < blocks; b++) {
    const first = b * block;
    const count = Math.min(block, rows - first);
    for (let column = 0; column < columns; column++) {
      const at = column * blocks + b;
      const scale = table[scales[at] as number] as number;
      for (let i = 0; i < count; i++) {
        const byte = stored[at * blockBytes + (bits === 8 ? i : i >> 1)] as number;
        const value = bits === 8 ? byte : i % 2 === 0 ? byte & 15 : byte >> 4;
        target[(first + i) * columns + column] = (value - middle) * scale;
      }
    }
  }
}

function halvesOf(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length >> 1);
}

let halves: Float32Array | undefined;

/** The number that each of the 65,536 halves is. */
function halfTable(): Float32Array {
  halves ??= fromHalf(Uint16Array.from({ length: 2 ** 16 }, (_, half) => half));
  return halves;
}
