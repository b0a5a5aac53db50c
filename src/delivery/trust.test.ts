import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { modelFolders } from "../../test/modelFolders";
import { networkParameters } from "../format/architecture";
import { type Manifest, parseManifest } from "../format/manifest";
import { parseWeightIndex, type WeightIndex } from "../format/weightIndex";
import { UntrustedModelError } from "./graphCheck";
import { checkIndex, checkManifest } from "./trust";

const root = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const manifestOf = (folder: string) => parseManifest(read(`${folder}/manifest.json`));
const tiny = manifestOf("test/fixtures/tiny-model");
const dtype = tiny.defaultDtype;
const index = parseWeightIndex(read(`test/fixtures/tiny-model/${tiny.dtypes[dtype]?.index}`));

/** A deep copy of the plain object `original` with changes made to it. */
function changed<T>(original: T, change: (copy: { -readonly [K in keyof T]: T[K] }) => void): T {
  const copy = structuredClone(original);
  change(copy);
  return copy;
}

describe("networkParameters", () => {
  // ELF-B and ELF-L by the numbers of the paper, in millions; the shipped model by its weights.
  const elf = { latentSize: 512, bottleneckSize: 128, vocabularySize: 32128, selfCondCfgTokens: 4 };
  it.each([
    [{ depth: 12, hiddenSize: 768, heads: 12, ...elf }, 105e6],
    [{ depth: 32, hiddenSize: 1280, heads: 16, ...elf }, 652e6],
    [
      { depth: 6, hiddenSize: 256, latentSize: 128, bottleneckSize: 64, vocabularySize: 4096, selfCondCfgTokens: 4 },
      5653624,
    ],
  ])("%j", (shapes, parameters) => {
    const counted = networkParameters(shapes as unknown as Manifest["architecture"]);
    expect(Math.abs(counted / parameters - 1)).toBeLessThan(0.01);
  });
});

describe("checkManifest and checkIndex", () => {
  it.each(modelFolders)("let %s pass", (folder) => {
    const manifest = manifestOf(folder);
    checkManifest(manifest);
    for (const [name, stored] of Object.entries(manifest.dtypes)) {
      checkIndex(parseWeightIndex(read(`${folder}/${stored.index}`)), name as typeof dtype, stored.bytes);
    }
  });

  it("let presets pass that are as long as they may be", () => {
    checkManifest(
      changed(tiny, ({ presets }) => void presets.push({ name: "🎲".repeat(40), note: "y".repeat(200), settings: {} })),
    );
  });

  const shard = tiny.dtypes[dtype]?.shards[0];
  const manifests: [string, (manifest: Manifest) => void, string][] = [
    [
      "a vocabulary beyond reason",
      ({ architecture }) => void Object.assign(architecture, { vocabularySize: 2e9 }),
      "vocabularySize",
    ],
    ["a depth beyond reason", ({ architecture }) => void Object.assign(architecture, { depth: 100_000 }), "its depth"],
    [
      "weights that the shapes do not have",
      ({ architecture }) => void Object.assign(architecture, { parameters: 9e9 }),
      "9000000000 weights",
    ],
    ["heads that do not divide", ({ architecture }) => void Object.assign(architecture, { heads: 7 }), "7 heads"],
    ["a token outside the vocabulary", ({ tokens }) => void Object.assign(tokens, { eos: 1e6 }), "token eos"],
    ["more rivals than tokens", ({ decoder }) => void Object.assign(decoder, { topK: 1e6 }), "rivals"],
    ["an endless example", (manifest) => void manifest.examples.push("x".repeat(1e6)), "examples is too long"],
    [
      "an endless name of a preset",
      (manifest) => void manifest.presets.push({ name: "x".repeat(41), note: "y", settings: {} }),
      "name of a preset is too long",
    ],
    [
      "a preset whose note is no line of text",
      (manifest) => void manifest.presets.push({ name: "x", note: "y\u001b[31mz", settings: {} }),
      "note of a preset has control characters",
    ],
    ["an endless title", (manifest) => void Object.assign(manifest, { title: "x".repeat(1e6) }), "title is too long"],
    [
      "shards far larger than the network",
      (manifest) => {
        Object.assign(manifest.dtypes[dtype] as object, { bytes: 2e9 });
      },
      "2.0 GB",
    ],
    [
      "a shard of a terabyte",
      ({ files }) => {
        Object.assign(files.find(({ path }) => path === shard) as object, { bytes: 1e12 });
      },
      "1000 GB",
    ],
    [
      "a file listed twice in other capitals",
      ({ files }) => {
        files.push({ ...(files[0] as Manifest["files"][number]), path: files[0]?.path.toUpperCase() ?? "" });
      },
      "twice",
    ],
    [
      "one SHA-256 of two sizes",
      ({ files }) => {
        files.push({ ...(files[0] as Manifest["files"][number]), path: "other", bytes: 1 });
      },
      "another size",
    ],
    [
      "a path that decodes to another",
      ({ files }) => {
        files.push({ ...(files[0] as Manifest["files"][number]), path: "%2e%2e/secret" });
      },
      "a path in its list",
    ],
    [
      "a thousand files too many",
      ({ files }) => {
        for (let i = 0; i < 2000; i++) files.push({ path: `f${i}`, bytes: 1, sha256: String(i) });
      },
      "files",
    ],
  ];
  it.each(manifests)("refuse %s", (_, change, words) => {
    const hostile = changed(tiny, change);
    expect(() => checkManifest(hostile)).toThrow(UntrustedModelError);
    expect(() => checkManifest(hostile)).toThrow(words);
  });

  type Tensor = WeightIndex["tensors"][number];
  const first = (copy: WeightIndex) => copy.tensors[0] as Tensor;
  const second = (copy: WeightIndex) => copy.tensors[1] as Tensor;
  const indices: [string, (copy: WeightIndex) => void, string][] = [
    [
      "tensors over each other in the shards",
      (copy) => void Object.assign(second(copy), { offset: first(copy).offset }),
      "over each other",
    ],
    [
      "tensors over each other in a file",
      (copy) => void Object.assign(second(copy).plain, first(copy).plain),
      "over each other",
    ],
    ["a file of two exabytes", (copy) => void Object.assign(copy.files[0] as object, { bytes: 2e18 }), "would take"],
    ["a gigabyte for a few weights", (copy) => void Object.assign(copy.files[0] as object, { bytes: 1e9 }), "for "],
    [
      "a gigabyte for nothing packed",
      (copy) => void Object.assign(copy, { packedFiles: [{ path: "packed-0.bin", bytes: 1e9, graphs: [] }] }),
      "packed-0.bin would take",
    ],
    [
      "packed tensors over each other",
      (copy) => {
        for (const tensor of [first(copy), second(copy)]) Object.assign(tensor, { packed: { file: 0, offset: 0 } });
        Object.assign(copy, { packedFiles: [{ path: "packed-0.bin", bytes: 64, graphs: [] }] });
      },
      "over each other",
    ],
    ["a file elsewhere", (copy) => void Object.assign(copy.files[0] as object, { path: "../x.bin" }), "that is none"],
    [
      "one name for two files",
      (copy) => void copy.files.push({ ...(copy.files[0] as (typeof copy.files)[number]) }),
      "twice",
    ],
    ["the index of other shards", (copy) => void Object.assign(copy, { bytes: copy.bytes + 1 }), "other shards"],
    [
      "sizes whose product overflows",
      (copy) => void Object.assign(first(copy), { shape: [2 ** 40, 2 ** 40] }),
      "counted",
    ],
  ];
  it.each(indices)("refuse %s", (_, change, words) => {
    const hostile = changed(index, change);
    expect(() => checkIndex(hostile, dtype, tiny.dtypes[dtype]?.bytes)).toThrow(UntrustedModelError);
    expect(() => checkIndex(hostile, dtype, tiny.dtypes[dtype]?.bytes)).toThrow(words);
  });
});
