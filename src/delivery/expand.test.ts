import { describe, expect, it } from "vitest";
import { parseWeightIndex, type StoredTensor, type WeightIndex } from "../format/weightIndex";
import { expandWeights, shardStream } from "./expand";

const streamOf = (shards: readonly Uint8Array[]) =>
  shardStream(shards.map((data) => ({ bytes: data.length, read: async () => data })));

/** An index of tensors that lie in one virtual file, one after the other. */
function indexOf(tensors: Partial<StoredTensor>[], bytes: number, fileBytes: number): WeightIndex {
  return parseWeightIndex(
    JSON.stringify({
      schemaVersion: 1,
      dtype: "f32",
      bytes,
      files: [{ path: "weights-0.bin", bytes: fileBytes, graphs: ["denoiser"] }],
      tensors,
    }),
  );
}

const floats = (data: Uint8Array | undefined) =>
  Array.from(new Float32Array(data?.slice().buffer ?? new ArrayBuffer(0)));

describe("expandWeights", () => {
  it("reads float32 and float16, each at its place in stream and file", async () => {
    const stream = new Uint8Array(32);
    new Float32Array(stream.buffer, 0, 2).set([1.5, -2]);
    // 1, −0.5, 65504 and the smallest, 2⁻²⁴.
    new Uint16Array(stream.buffer, 16, 4).set([0x3c00, 0xb800, 0x7bff, 0x0001]);
    const index = indexOf(
      [
        { name: "a", shape: [2], encoding: "f32", offset: 0, bytes: 8, plain: { file: 0, offset: 64 } },
        { name: "b", shape: [2, 2], encoding: "f16", offset: 16, bytes: 8, plain: { file: 0, offset: 0 } },
      ],
      24,
      72,
    );
    const [file] = await expandWeights(index, ["denoiser"], streamOf([stream]));
    expect(file?.path).toBe("weights-0.bin");
    const values = floats(file?.data);
    expect(values.slice(0, 4)).toEqual([1, -0.5, 65504, 2 ** -24]);
    expect(values.slice(16)).toEqual([1.5, -2]);
  });

  it("reads blocks of 8 bits: value − 128 times the scale, column by column", async () => {
    // (3, 2) in blocks of 2: the last block of each column is half empty. Scales 1, 0.5 and 2, 0.25.
    const stream = new Uint8Array(16);
    stream.set([129, 126, 255, 128, 0, 130, 127, 128]);
    new Uint16Array(stream.buffer, 8, 4).set([0x3c00, 0x3800, 0x4000, 0x3400]);
    const place = { offset: 0, plain: { file: 0, offset: 0 } };
    const index = indexOf([{ name: "q", shape: [3, 2], encoding: "q8", block: 2, bytes: 16, ...place }], 16, 24);
    const [file] = await expandWeights(index, ["denoiser"], streamOf([stream]));
    expect(floats(file?.data)).toEqual([1, -256, -2, 4, 63.5, -0.25]);
  });

  it("reads blocks of 4 bits, the low half of a byte first", async () => {
    const stream = new Uint8Array(10);
    stream.set([0x9a, 0x0f, 0x78, 0x88]);
    new Uint16Array(stream.buffer, 4, 2).set([0x3c00, 0x4000]);
    const place = { offset: 0, plain: { file: 0, offset: 0 } };
    const index = indexOf([{ name: "q", shape: [4, 2], encoding: "q4", block: 4, bytes: 8, ...place }], 8, 32);
    const [file] = await expandWeights(index, ["denoiser"], streamOf([stream]));
    expect(floats(file?.data)).toEqual([2, 0, 1, -2, 7, 0, -8, 0]);
  });

  it("reads on over the ends of shards, at odd bytes too", async () => {
    const stream = new Uint8Array(24);
    new Float32Array(stream.buffer).set([1, 2, 3, 4, 5, 6]);
    const place = { offset: 0, plain: { file: 0, offset: 0 } };
    const index = indexOf([{ name: "a", shape: [6], encoding: "f32", bytes: 24, ...place }], 24, 24);
    const shards = [stream.slice(0, 7), stream.slice(7, 8), stream.slice(8)];
    const [file] = await expandWeights(index, ["denoiser"], streamOf(shards));
    expect(floats(file?.data)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("makes only the files that the wanted graphs read, and reads only what lies in them", async () => {
    const tensors = ["a", "b"].map((name, i) => ({
      name,
      shape: [1],
      encoding: "f32",
      offset: 16 * i,
      bytes: 4,
      plain: { file: i, offset: 0 },
    }));
    const files = [
      { path: "weights-0.bin", bytes: 4, graphs: ["prefix", "denoiser"] },
      { path: "weights-1.bin", bytes: 4, graphs: ["encoder"] },
    ];
    const index = parseWeightIndex(JSON.stringify({ schemaVersion: 1, dtype: "f32", bytes: 20, files, tensors }));
    const asked: number[] = [];
    const read = async (offset: number, bytes: number) => {
      asked.push(offset);
      return new Uint8Array(bytes);
    };
    const made = await expandWeights(index, ["encoder"], read);
    expect(made.map(({ path }) => path)).toEqual(["weights-1.bin"]);
    expect(asked).toEqual([16]);
  });
});

describe("packed graphs", () => {
  // One kernel of 8 bits, (4, 2) in blocks of 4, and a bias of halves.
  const stream = new Uint8Array(20);
  stream.set([129, 0, 128, 255, 1, 2, 3, 4]);
  new Uint16Array(stream.buffer, 8, 4).set([0x3c00, 0xb800]);
  new Uint16Array(stream.buffer, 16, 2).set([0x3c00, 0x4000]);
  const kernel = {
    name: "kernel",
    shape: [4, 2],
    encoding: "q8",
    block: 4,
    offset: 0,
    bytes: 12,
    plain: { file: 0, offset: 0 },
    packed: { values: { file: 0, offset: 0 }, scales: { file: 0, offset: 64 } },
  };
  const bias = {
    name: "bias",
    shape: [2],
    encoding: "f16",
    offset: 16,
    bytes: 4,
    plain: { file: 0, offset: 64 },
    packed: { file: 0, offset: 128 },
  };
  const text = (tensors: object[]) =>
    JSON.stringify({
      schemaVersion: 1,
      dtype: "q8",
      bytes: 20,
      files: [{ path: "weights-0.bin", bytes: 72, graphs: ["denoiser", "decoder"] }],
      packedFiles: [{ path: "packed-0.bin", bytes: 136, graphs: ["denoiser"] }],
      tensors,
    });

  it("get values as they are stored, scales and other tensors as float32", async () => {
    const index = parseWeightIndex(text([kernel, bias]));
    const files = await expandWeights(index, ["denoiser"], streamOf([stream]), { packed: ["denoiser"] });
    expect(files.map(({ path }) => path)).toEqual(["packed-0.bin"]);
    const data = files[0]?.data as Uint8Array;
    expect(Array.from(data.subarray(0, 8))).toEqual([129, 0, 128, 255, 1, 2, 3, 4]);
    expect(floats(data.subarray(64, 72))).toEqual([1, -0.5]);
    expect(floats(data.subarray(128))).toEqual([1, 2]);
  });

  it("stand beside plain ones", async () => {
    const index = parseWeightIndex(text([kernel, bias]));
    const read = streamOf([stream]);
    const files = await expandWeights(index, ["denoiser", "decoder"], read, { packed: ["denoiser"] });
    expect(files.map(({ path }) => path)).toEqual(["weights-0.bin", "packed-0.bin"]);
    expect(floats(files[0]?.data.subarray(0, 16))).toEqual([1, 63.5, -128, 63]);
    const plain = await expandWeights(index, ["denoiser", "decoder"], read);
    expect(plain.map(({ path }) => path)).toEqual(["weights-0.bin"]);
  });

  it.each([
    ["ends behind packed-0.bin", { ...kernel, packed: { ...kernel.packed, scales: { file: 0, offset: 132 } } }],
    ["a file that is not listed", { ...kernel, packed: { ...kernel.packed, values: { file: 1, offset: 0 } } }],
    ["ends behind packed-0.bin", { ...bias, packed: { file: 0, offset: 132 } }],
    ["has no values and scales", { ...bias, packed: kernel.packed }],
  ])("are checked: %s", (message, tensor) => {
    expect(() => parseWeightIndex(text([tensor]))).toThrow(message);
  });
});

describe("parseWeightIndex", () => {
  const place = { offset: 0, plain: { file: 0, offset: 0 } };
  const good: StoredTensor = { name: "a", shape: [4, 2], encoding: "f32", bytes: 32, ...place };

  it.each<[string, Partial<StoredTensor>]>([
    ["takes 31 bytes", { bytes: 31 }],
    ["ends behind the last byte", { offset: 16 }],
    ["a file that is not listed", { plain: { file: 1, offset: 0 } }],
    ["multiple of 4", { plain: { file: 0, offset: 2 } }],
    ["ends behind weights-0.bin", { plain: { file: 0, offset: 4 } }],
    ["cannot be stored as q8", { encoding: "q8" }],
    ["cannot be stored as q4", { encoding: "q4", block: 32, shape: [8] }],
    ["tensors.0.shape", { shape: [-4, -2] }],
    ["tensors.0.offset", { offset: 0.5 }],
    ["tensors.0.encoding", { encoding: "q5" as "q4" }],
  ])("names what is wrong: %s", (message, change) => {
    expect(() => indexOf([{ ...good, ...change }], 32, 32)).toThrow(message);
  });

  it.each(["", "null", "[]", '{"schemaVersion": 2}'])("refuses %j", (text) => {
    expect(() => parseWeightIndex(text)).toThrow("The index of the model's weights is wrong");
  });
});
