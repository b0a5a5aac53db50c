import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { modelFolders } from "../../test/modelFolders";
import { parseWeightIndex } from "../format/weightIndex";
import { checkGraph, UntrustedModelError } from "./graphCheck";

/** A protobuf field of bytes or text, or of a number below 128. */
function field(number: number, value: Uint8Array | string | number): Uint8Array {
  if (typeof value === "number") return Uint8Array.of(...varint(number << 3), ...varint(value));
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return Uint8Array.of(...varint((number << 3) | 2), ...varint(bytes.length), ...bytes);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

const concat = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
const model = (...graph: Uint8Array[]) => concat(field(1, 10), field(7, concat(...graph)));
const node = (operator: string, domain = "", ...more: Uint8Array[]) =>
  field(1, concat(field(1, "x"), field(2, "y"), field(4, operator), field(7, domain), ...more));
const entry = (key: string, value: string) => field(13, concat(field(1, key), field(2, value)));
const weight = (dims: number[], ...more: Uint8Array[]) =>
  field(5, concat(...dims.map((size) => field(1, size)), field(2, 1), field(8, "w"), field(14, 1), ...more));
const placed = (location: string, offset: string, length: string) => [
  entry("location", location),
  entry("offset", offset),
  entry("length", length),
];

const files = new Map([["weights-0.bin", 1000]]);
const checking = (bytes: Uint8Array) => () => checkGraph("onnx/denoiser.onnx", bytes, files);

describe("checkGraph", () => {
  it("lets arithmetic pass whose weights lie where they may", () => {
    const good = model(
      node("MatMul"),
      node("MultiHeadAttention", "com.microsoft"),
      weight([5, 50], ...placed("weights-0.bin", "0", "1000")),
      weight([10], ...placed("weights-0.bin", "960", "40")),
    );
    expect(checking(good)).not.toThrow();
  });

  it("takes sizes that are packed together", () => {
    const dims = field(1, Uint8Array.of(5, ...varint(200)));
    const packed = (length: string) =>
      model(field(5, concat(dims, field(2, 1), field(14, 1), ...placed("weights-0.bin", "0", length))));
    expect(checking(packed("1000"))).toThrow("other bytes than its shape");
    expect(checking(packed("4000"))).toThrow("behind the end");
  });

  it.each(modelFolders)("lets every graph of %s pass", (folder) => {
    const root = join(import.meta.dirname, "../..", folder, "onnx");
    const names = readdirSync(root);
    const known = new Map<string, number>();
    for (const name of names.filter((entry) => entry.endsWith(".json"))) {
      const index = parseWeightIndex(readFileSync(join(root, name), "utf8"));
      for (const { path, bytes } of [...index.files, ...(index.packedFiles ?? [])]) known.set(path, bytes);
    }
    const graphs = names.filter((entry) => entry.endsWith(".onnx"));
    expect(graphs.length).toBeGreaterThan(2);
    for (const graph of graphs) checkGraph(graph, readFileSync(join(root, graph)), known);
  });

  const hostile: [string, Uint8Array, string][] = [
    ["control flow", model(node("Loop")), "operator Loop"],
    ["an operator of another maker", model(node("MatMul", "evil.example")), "evil.example.MatMul"],
    ["an operator named like a property of objects", model(node("MatMul", "constructor")), "constructor.MatMul"],
    ["randomness", model(node("RandomNormal")), "operator RandomNormal"],
    ["a graph within the graph", model(node("Add", "", field(5, field(6, node("Add"))))), "within the graph"],
    ["functions", concat(model(node("Add")), field(25, node("Add"))), "functions of its own"],
    ["a file elsewhere", model(weight([1], ...placed("../../secret", "0", "4"))), "../../secret"],
    ["a weight beyond its file", model(weight([10], ...placed("weights-0.bin", "961", "40"))), "behind the end"],
    ["a shape larger than its bytes", model(weight([100], ...placed("weights-0.bin", "0", "40"))), "its shape asks"],
    ["a negative offset", model(weight([1], ...placed("weights-0.bin", "-4", "4"))), "no number"],
    [
      "sizes whose product overflows",
      model(weight([127, 127, 127, 127, 127, 127, 127, 127, 127], ...placed("weights-0.bin", "0", "4"))),
      "more elements than",
    ],
    ["sparse weights", model(field(15, new Uint8Array(3))), "sparse"],
    ["no graph", field(1, 10), "0 graphs"],
    ["two graphs", concat(model(node("Add")), field(7, node("Add"))), "2 graphs"],
    ["a web page", new TextEncoder().encode("<!doctype html>"), "no ONNX graph"],
    ["a length beyond the end", Uint8Array.of(58, 255, 255, 127, 1), "no ONNX graph"],
    ["a number without end", new Uint8Array(50).fill(255), "no ONNX graph"],
  ];
  it.each(hostile)("refuses %s", (_, bytes, words) => {
    expect(checking(bytes)).toThrow(UntrustedModelError);
    expect(checking(bytes)).toThrow(words);
  });

  it("survives a graph with any byte changed", () => {
    const graph = readFileSync(join(import.meta.dirname, "../../test/fixtures/tiny-model/onnx/decoder.onnx"));
    for (let at = 0; at < 4000; at++) {
      const changed = Uint8Array.from(graph.subarray(0, 20_000));
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      try {
        checkGraph("x", changed, files);
      } catch (error) {
        expect(error).toBeInstanceOf(UntrustedModelError);
      }
    }
  });
});
