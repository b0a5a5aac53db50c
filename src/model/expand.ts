import { fromHalf } from "../flow/half";
import { type StoredTensor, sizeOf, type WeightIndex } from "./weightIndex";

/** A file of float32 weights, under the name by which graphs know it. */
export interface VirtualFile {
  readonly path: string;
  readonly data: Uint8Array;
  /** The graphs that read it. */
  readonly graphs: readonly string[];
}

/** Gives bytes of the stream that a dtype's shards make end to end. What it gave may be overwritten by the next read. */
export type ReadStream = (offset: number, bytes: number) => Uint8Array | Promise<Uint8Array>;

/**
 * Makes the files of weights that `graphs` read, as float32, whatever the shards hold. Waits for `onTensor`, which is told
 * after each tensor how many bytes have been unpacked, and may throw to end the work.
 */
export async function expandWeights(
  index: WeightIndex,
  graphs: readonly string[],
  read: ReadStream,
  onTensor: (bytes: number) => void | Promise<void> = () => {},
): Promise<VirtualFile[]> {
  const wanted = index.files.map((file) => file.graphs.some((graph) => graphs.includes(graph)));
  const files = index.files.map(({ bytes }, i) => (wanted[i] ? new Uint8Array(bytes) : undefined));
  let done = 0;
  for (const tensor of index.tensors) {
    const file = files[tensor.plain.file];
    if (!file) continue;
    const stored = await read(tensor.offset, tensor.bytes);
    decode(tensor, stored, new Float32Array(file.buffer, tensor.plain.offset, sizeOf(tensor)));
    done += tensor.bytes;
    await onTensor(done);
  }
  return index.files.flatMap(({ path, graphs }, i) => {
    const data = files[i];
    return data ? [{ path, data, graphs }] : [];
  });
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
    const table = halfTable();
    const halves = halvesOf(stored);
    for (let i = 0; i < target.length; i++) target[i] = table[halves[i] as number] as number;
  } else {
    decodeBlocks(tensor, stored, target);
  }
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
