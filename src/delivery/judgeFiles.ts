/** A judge from the folder that `elf export-judge` wrote: fetched, checked, and its weights unpacked. */
import { type JudgeManifest, parseJudgeManifest } from "../format/judgeManifest";
import { parseWeightIndex } from "../format/weightIndex";
import { expandWeights, shardStream, type VirtualFile } from "./expand";
import { fetchManifestText } from "./fetchManifest";
import { checkGraph, UntrustedModelError } from "./graphCheck";
import { bytesOf, TOKENIZER } from "./modelFiles";
import { type DownloadProgress, download } from "./store/download";
import { MissingFileError } from "./store/errors";
import { MemoryStore } from "./store/memoryStore";
import type { FetchFile } from "./store/request";
import { checkFiles, checkIndex } from "./trust";

/** What of a judge is run. */
export interface JudgeFiles {
  readonly manifest: JudgeManifest;
  /** The text of its tokenizer.json. */
  readonly tokenizer: string;
  readonly graph: Uint8Array;
  /** The graph that reads sources, of a judge of answers. */
  readonly reader?: Uint8Array | undefined;
  readonly weights: readonly VirtualFile[];
}

export interface FetchJudgeOptions {
  /** Folder that holds `judge.json`, ending in `/`. */
  readonly baseUrl: string;
  readonly fetchFile: FetchFile;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

const JUDGE_MANIFEST = "judge.json";
/** The names of the graphs in the index of their weights. */
const GRAPH = "judge";
const READER = "reader";
/** Of all files together: a judge is small. */
const MOST_BYTES = 200e6;

/** What a judge is, without a part of what runs it. @throws as `fetchJudge`. */
export async function fetchJudgeManifest({ baseUrl, fetchFile, signal }: FetchJudgeOptions): Promise<JudgeManifest> {
  const { text } = await fetchManifestText({ baseUrl, fetchFile }, false, signal, JUDGE_MANIFEST);
  return readJudgeManifest(text);
}

/** Reads the text of a `judge.json` and refuses what no export would write. @throws {ManifestError | ManifestVersionError | UntrustedModelError} */
export function readJudgeManifest(text: string): JudgeManifest {
  const manifest = parseJudgeManifest(text);
  const { architecture, eos, files, source, weights } = manifest;
  const { width, heads, layers, vocabularySize, maxLength } = architecture;
  checkFiles(files, [weights], JUDGE_MANIFEST);
  if (width % heads !== 0) refuse(`${heads} heads do not share a width of ${width}`);
  if (Math.max(eos, source?.before ?? 0) >= vocabularySize) refuse("a token of its own lies outside the vocabulary");
  const longest = Math.max(maxLength, source?.maxLength ?? 0);
  if (Math.max(layers, heads) > 256 || Math.max(width, longest) > 65_536 || vocabularySize > 1e6) {
    refuse("its shapes are no judge's");
  }
  const sizes = new Map(files.map(({ path, bytes }) => [path, bytes]));
  if (weights.shards.reduce((sum, path) => sum + (sizes.get(path) ?? 0), 0) !== weights.bytes) {
    refuse("its weights are not as large as their files");
  }
  if (judgeBytes(manifest) > MOST_BYTES) refuse("it is too large to judge by");
  return manifest;
}

function refuse(why: string): never {
  throw new UntrustedModelError(`This judge will not be loaded: ${why}.`, "Use one that `elf export-judge` wrote.");
}

/** Bytes of everything that a judge needs to run. */
export function judgeBytes(manifest: JudgeManifest): number {
  return bytesOf(neededFiles(manifest));
}

/**
 * Fetches a judge; it is kept in memory, for as long as it is used.
 * @throws {ManifestError | ManifestVersionError | WeightIndexError | UntrustedModelError | MissingFileError} it is no judge,
 * or not whole; and every error of `download`.
 */
export async function fetchJudge(options: FetchJudgeOptions): Promise<JudgeFiles> {
  const { baseUrl, fetchFile, signal, onProgress } = options;
  const manifest = await fetchJudgeManifest(options);
  const store = new MemoryStore();
  await download(neededFiles(manifest), { store, baseUrl, fetchFile, signal, onProgress });
  const read = async (path: string) => {
    const file = manifest.files.find((listed) => listed.path === path);
    const bytes = file && (await store.read(file.sha256));
    if (bytes) return bytes;
    throw new MissingFileError(`The judge has no file ${path}.`, "Export it again with `elf export-judge`.");
  };
  const { dtype, index: indexPath, shards, bytes } = manifest.weights;
  const index = parseWeightIndex(new TextDecoder().decode(await read(indexPath)));
  checkIndex(index, dtype, bytes);
  const weightFiles = new Map(index.files.map((file) => [file.path, file.bytes]));
  const readGraph = async (path: string) => {
    const graph = await read(path);
    checkGraph(path, graph, weightFiles);
    return graph;
  };
  const graph = await readGraph(manifest.graph);
  const reader = manifest.source && (await readGraph(manifest.source.graph));
  const sizes = new Map(manifest.files.map((file) => [file.path, file.bytes]));
  const stream = shardStream(shards.map((path) => ({ bytes: sizes.get(path) ?? 0, read: () => read(path) })));
  const weights = await expandWeights(index, reader ? [GRAPH, READER] : [GRAPH], stream);
  return { manifest, tokenizer: new TextDecoder().decode(await read(TOKENIZER)), graph, reader, weights };
}

function neededFiles({ files, graph, source, weights }: JudgeManifest): JudgeManifest["files"] {
  const needed = new Set([graph, weights.index, TOKENIZER, ...weights.shards, ...(source ? [source.graph] : [])]);
  return files.filter(({ path }) => needed.has(path));
}
