import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { NastyServer } from "../../test/browser/nasty-server";
import { ManifestVersionError } from "../format/manifest";
import { UntrustedModelError } from "./graphCheck";
import { fetchJudge, fetchJudgeManifest, judgeBytes } from "./judgeFiles";
import type { ShippedJudge } from "./shipped";
import { CorruptFileError, MissingFileError } from "./store/errors";

function filesOf(name: ShippedJudge): [string, Buffer][] {
  const folder = join(import.meta.dirname, "../../models", name);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [`judge/${path.slice(folder.length + 1)}`, readFileSync(path)]);
}

const good = new Map(filesOf("stories-judge"));
const files = new Map(good);
const server = new NastyServer(files);
let baseUrl: string;

beforeAll(async () => {
  baseUrl = `${await server.start()}judge/`;
});
afterAll(() => server.stop());
beforeEach(() => {
  files.clear();
  for (const [name, bytes] of good) files.set(name, bytes);
  server.treat(() => ({}));
});

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const fetchFile = (url: string, init: object) => fetch(url, init);
const changed = (change: object) => {
  const manifest = JSON.parse(String(good.get("judge/judge.json")));
  files.set("judge/judge.json", Buffer.from(JSON.stringify({ ...manifest, ...change })));
  return manifest;
};

describe("a judge that is fetched", () => {
  it("brings its tokenizer, its graph and its weights, and nothing that it does not need", async () => {
    const seen: number[] = [];
    const judge = await fetchJudge({ baseUrl, fetchFile, onProgress: ({ loadedBytes }) => seen.push(loadedBytes) });
    expect(judge.weights.map(({ path }) => path)).toEqual(["weights-0.bin"]);
    expect(judge.weights[0]?.data.length).toBeGreaterThanOrEqual(4 * judge.manifest.architecture.parameters);
    expect(JSON.parse(judge.tokenizer).model).toBeDefined();
    expect(seen.at(-1)).toBe(judgeBytes(judge.manifest));
    expect(server.asked.some(({ path }) => path.endsWith("README.md"))).toBe(false);
  });

  it("that answers brings the graph that reads its sources, which is checked as the other is", async () => {
    files.clear();
    for (const [name, bytes] of filesOf("translate-yardstick")) files.set(name, bytes);
    const { manifest, reader, weights } = await fetchJudge({ baseUrl, fetchFile });
    expect(reader?.length).toBeGreaterThan(1000);
    expect(weights[0]?.data.length).toBeGreaterThanOrEqual(4 * manifest.architecture.parameters);
    const before = manifest.architecture.vocabularySize;
    const text = JSON.stringify({ ...manifest, source: { ...manifest.source, before } });
    files.set("judge/judge.json", Buffer.from(text));
    await expect(fetchJudge({ baseUrl, fetchFile })).rejects.toThrow("outside the vocabulary");
    const listed = manifest.files.map((file) =>
      file.path === "onnx/reader.onnx" ? { ...file, bytes: 3, sha256: sha256("bad") } : file,
    );
    files.set("judge/onnx/reader.onnx", Buffer.from("bad"));
    files.set("judge/judge.json", Buffer.from(JSON.stringify({ ...manifest, files: listed })));
    await expect(fetchJudge({ baseUrl, fetchFile })).rejects.toThrow(UntrustedModelError);
  });

  it("says what it is without a part of it", async () => {
    const { realText } = await fetchJudgeManifest({ baseUrl, fetchFile });
    expect(realText.perplexity).toBeGreaterThan(1);
    expect(server.asked.map(({ path }) => path)).toEqual(["judge/judge.json"]);
  });

  it.each([
    [
      "with a byte that is another",
      ({ path }: { path: string }) => (path.endsWith(".bin") ? { flipAt: 5 } : {}),
      CorruptFileError,
    ],
    [
      "without its tokenizer",
      ({ path }: { path: string }) => (path.endsWith("tokenizer.json") ? { status: 404 } : {}),
      MissingFileError,
    ],
  ] as const)("%s is refused by name", async (_, manners, error) => {
    server.treat(manners);
    await expect(fetchJudge({ baseUrl, fetchFile })).rejects.toThrow(error);
  });

  it.each([
    ["another version", { schemaVersion: 2 }, ManifestVersionError],
    ["an end outside its vocabulary", { eos: 9000 }, UntrustedModelError],
    ["a list without its graph", { files: [] }, UntrustedModelError],
  ] as const)("of %s is refused by name", async (_, change, error) => {
    changed(change);
    await expect(fetchJudge({ baseUrl, fetchFile })).rejects.toThrow(error);
  });

  it("whose heads share no width, or whose weights are not as large as it says, is refused", async () => {
    const { architecture, weights } = changed({});
    for (const change of [{ architecture: { ...architecture, heads: 5 } }, { weights: { ...weights, bytes: 5 } }]) {
      changed(change);
      await expect(fetchJudge({ baseUrl, fetchFile })).rejects.toThrow(UntrustedModelError);
    }
  });
});
