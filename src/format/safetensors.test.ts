import { describe, expect, it } from "vitest";
import { parseSafetensors, SafetensorsError } from "./safetensors";
import { safetensorsFile } from "./testing/safetensorsFile";

/** As the `safetensors` package of Python writes `{"a": [[1, -2]], "b": [7]}` in F32 and I64. */
const WRITTEN_BY_PYTHON =
  "7000000000000000" +
  Buffer.from(
    '{"b":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]}}  ',
  ).toString("hex") +
  "0700000000000000" +
  "0000803f000000c0";

describe("parseSafetensors", () => {
  it("reads what Python writes", () => {
    const tensors = parseSafetensors(Buffer.from(WRITTEN_BY_PYTHON, "hex"));
    expect(tensors.get("a")).toEqual({ shape: [1, 2], data: Float32Array.of(1, -2) });
    expect(tensors.get("b")).toEqual({ shape: [1], data: BigInt64Array.of(7n) });
    expect(tensors.size).toBe(2);
  });

  it("passes over the metadata", () => {
    const file = safetensorsFile({ __metadata__: { format: "pt" } }, new Uint8Array());
    expect(parseSafetensors(file).size).toBe(0);
  });

  const f32 = (change: object) => ({ a: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...change } });
  const eight = new Uint8Array(8);
  it.each([
    ["it is too short", new Uint8Array(7)],
    ["its header does not end", Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 0)],
    ["its header is not JSON", safetensorsFile("{", eight)],
    ["its header is not JSON", safetensorsFile(null, eight)],
    ["wrong at a.dtype", safetensorsFile(f32({ dtype: "F16" }), eight)],
    ["wrong at a.shape.0", safetensorsFile(f32({ shape: [-2] }), eight)],
    ["wrong at a.data_offsets", safetensorsFile(f32({ data_offsets: [0] }), eight)],
    ["tensor a does not lie inside it", safetensorsFile(f32({ data_offsets: [8, 16] }), eight)],
    ["tensor a does not lie inside it", safetensorsFile(f32({ shape: [3] }), eight)],
    ["tensor a does not lie inside it", safetensorsFile(f32({ data_offsets: [8, 0] }), eight)],
  ])("names what is wrong: %s", (message, file) => {
    expect(() => parseSafetensors(file)).toThrow(SafetensorsError);
    expect(() => parseSafetensors(file)).toThrow(message);
  });
});
