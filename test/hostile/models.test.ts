import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readManifest } from "../../src/delivery/fetchManifest";
import { checkGraph } from "../../src/delivery/graphCheck";
import { readJudgeManifest } from "../../src/delivery/judgeFiles";
import { readSource } from "../../src/delivery/sources";
import { checkIndex } from "../../src/delivery/trust";
import { parseSafetensors } from "../../src/format/safetensors";
import { parseWeightIndex } from "../../src/format/weightIndex";
import { byteFiles, jsonFiles, texts } from "./inputs";
import { withstands } from "./withstands";

const FOLDERS = ["models/stories", "test/fixtures/tiny-conditional", "test/fixtures/tiny-packed"];
const file = (path: string) => readFileSync(path);
const text = (path: string) => readFileSync(path, "utf8");

describe("models from strangers", () => {
  it("a manifest is trusted, or refused by name; all its files lie in its own folder", async () => {
    const base = "https://models.example/elf/";
    const { read, refusals } = await withstands({
      inputs: jsonFiles(...FOLDERS.map((folder) => text(`${folder}/manifest.json`))),
      read: readManifest,
      holds: ({ files }) => {
        for (const { path } of files) {
          const url = new URL(`${base}${path}`);
          expect(url.href.startsWith(base), path).toBe(true);
          expect(url.search + url.hash).toBe("");
        }
      },
    });
    expect(read).toBeGreaterThan(0);
    for (const code of refusals) expect(["manifest", "manifest-version", "untrusted-model"]).toContain(code);
  });

  it("a judge's manifest is trusted, or refused by name; all its files lie in its own folder", async () => {
    const { read, refusals } = await withstands({
      inputs: jsonFiles(text("models/translate-yardstick/judge.json")),
      read: readJudgeManifest,
      holds: ({ files, architecture, eos }) => {
        for (const { path } of files) {
          expect(new URL(`https://models.example/judge/${path}`).href.startsWith("https://models.example/judge/")).toBe(
            true,
          );
        }
        expect(architecture.width % architecture.heads).toBe(0);
        expect(eos).toBeLessThan(architecture.vocabularySize);
      },
    });
    expect(read).toBeGreaterThan(0);
    for (const code of refusals) expect(["manifest", "manifest-version", "untrusted-model"]).toContain(code);
  });

  it("an index of weights reserves no more than its tensors take", async () => {
    const packed = "test/fixtures/tiny-packed";
    const manifest = readManifest(text(`${packed}/manifest.json`));
    const dtype = manifest.defaultDtype;
    const index = manifest.dtypes[dtype]?.index ?? "";
    const { read, refusals } = await withstands({
      inputs: jsonFiles(text(`${packed}/${index}`)),
      read: (json) => {
        const read = parseWeightIndex(json);
        checkIndex(read, dtype, manifest.dtypes[dtype]?.bytes);
        return read;
      },
      holds: ({ bytes, files, packedFiles = [] }) => {
        const reserved = [...files, ...packedFiles].reduce((sum, file) => sum + file.bytes, 0);
        expect(reserved).toBeLessThan(20 * bytes + 1e6);
      },
    });
    expect(read).toBeGreaterThan(0);
    expect(refusals).toEqual(new Set(["weight-index", "untrusted-model"]));
  });

  it("a graph is refused by name before a runtime sees it, or is one of arithmetic", async () => {
    const graphs = ["denoiser", "decoder", "encoder", "prefix"].map((name) =>
      file(`test/fixtures/tiny-conditional/onnx/${name}.onnx`),
    );
    const index = parseWeightIndex(text("test/fixtures/tiny-conditional/onnx/weights-f32.json"));
    const places = new Map(index.files.map(({ path, bytes }) => [path, bytes]));
    const { read, refusals } = await withstands({
      inputs: byteFiles(...graphs),
      read: (bytes) => checkGraph("onnx/denoiser.onnx", bytes, places),
    });
    expect(read).toBeGreaterThan(0);
    expect(refusals).toEqual(new Set(["untrusted-model"]));
  });

  it("stored tensors lie inside their file", async () => {
    const { read, refusals } = await withstands({
      inputs: byteFiles(file("test/fixtures/tiny-model/onnx/self-test-f32.safetensors")),
      read: parseSafetensors,
      holds: (tensors) => {
        for (const { shape, data } of tensors.values()) expect(data.length).toBe(shape.reduce((n, d) => n * d, 1));
      },
    });
    expect(read).toBeGreaterThan(0);
    expect(refusals).toEqual(new Set(["safetensors"]));
  });

  it("an address is asked at the host that it names, or refused by name", async () => {
    const page = "https://page.example/studio/";
    const { read, refusals } = await withstands({
      inputs: texts(
        ...["owner/name", "owner/name@v1.0", "https://huggingface.co/owner/name/tree/main", "http://localhost:8000/x/"],
        ...["https://models.example/elf/manifest.json", "models/stories/", "“https://models.example/elf”,"],
      ),
      read: (typed) => readSource(typed, page),
      holds: ({ baseUrl, host }) => {
        const url = new URL(baseUrl);
        expect(url.href).toBe(baseUrl);
        expect(baseUrl.endsWith("/")).toBe(true);
        expect(url.origin === new URL(page).origin ? null : url.host).toBe(host);
        expect(url.username + url.password + url.search + url.hash).toBe("");
        expect(url.protocol === "https:" || /^(localhost|127\.|\[::1\])/.test(url.hostname)).toBe(true);
      },
    });
    expect(read).toBeGreaterThan(0);
    expect(refusals).toEqual(new Set(["source"]));
  });
});
