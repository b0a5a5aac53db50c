import { CancelledError } from "../flow/errors";
import type { Dtype, Manifest, StoredDtype } from "../format/manifest";
import { parseWeightIndex } from "../format/weightIndex";
import { expandWeights, shardStream, type VirtualFile } from "./expand";
import { checkGraph } from "./graphCheck";
import { MissingFileError } from "./store/errors";
import { checkIndex } from "./trust";

/** The graphs that every run of the sampler needs; a prompt needs the encoder too. */
export const NETWORK_GRAPHS = ["prefix", "denoiser", "decoder"] as const;
export type GraphName = (typeof NETWORK_GRAPHS)[number] | "encoder";

/** Which of a graph's files is run; they compute the same with other kernels. */
export type Variant = "plain" | "fused" | "packed";

/** The variants that `manifest` offers for a GPU whose memory holds the weights as float32, best first. */
export function gpuVariants({ graphs }: Manifest): Variant[] {
  return NETWORK_GRAPHS.some((name) => graphs[name]?.fused) ? ["fused", "plain"] : ["plain"];
}

type GraphFiles = NonNullable<Manifest["graphs"][GraphName]>;

/** The path of a graph's file; that of the plain one where it has no such variant. */
export function graphPath({ file, fused, packed }: GraphFiles, variant: Variant, dtype: Dtype): string {
  if (variant === "fused") return fused ?? file;
  if (variant === "packed" && (dtype === "q8" || dtype === "q4")) return packed?.[dtype] ?? file;
  return file;
}

/** Graphs by the paths of their files, and the weights that they read, as `openNetwork` takes them. */
export interface NetworkParts {
  readonly graphs: ReadonlyMap<string, Uint8Array>;
  readonly weights: readonly VirtualFile[];
  readonly dtype: Dtype;
}

/**
 * The weights of `manifest` in one dtype.
 * @throws {MissingFileError} it does not offer that dtype.
 */
export function storedDtype(manifest: Manifest, dtype: Dtype): StoredDtype {
  const stored = manifest.dtypes[dtype];
  if (stored) return stored;
  throw new MissingFileError(
    `${manifest.name} has no weights of dtype ${dtype}.`,
    `Choose one of ${Object.keys(manifest.dtypes).join(", ")}.`,
  );
}

/** Gives a file of the model, checked against its SHA-256. */
export type ReadFile = (path: string) => Promise<Uint8Array>;

export interface PartsOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told of the bytes of weights that were unpacked, of all that are stored. */
  readonly onBytes?: (done: number, total: number) => void;
  /** Whether quantised kernels stay packed, for the graphs that take them so. */
  readonly packed?: boolean;
}

/**
 * Puts the graphs and their weights together, one shard after another, so that no more than one lies here packed. Every
 * index and graph is looked through before anything is made of it.
 * @throws {WeightIndexError | UntrustedModelError | MissingFileError | CancelledError} and whatever `read` throws.
 */
export async function networkParts(
  manifest: Manifest,
  dtype: Dtype,
  names: readonly GraphName[],
  read: ReadFile,
  { signal, onBytes, packed = false }: PartsOptions = {},
): Promise<NetworkParts> {
  const { index: indexPath, shards } = storedDtype(manifest, dtype);
  const index = parseWeightIndex(new TextDecoder().decode(await read(indexPath)));
  checkIndex(index, dtype, manifest.dtypes[dtype]?.bytes);
  const virtual = new Map([...index.files, ...(index.packedFiles ?? [])].map(({ path, bytes }) => [path, bytes]));
  const graphs = new Map<string, Uint8Array>();
  const variants: Variant[] = packed ? ["packed"] : ["plain", "fused"];
  const pathsOf = (name: GraphName) => {
    const files = manifest.graphs[name];
    return files ? variants.map((variant) => graphPath(files, variant, dtype)) : [];
  };
  for (const path of new Set(names.flatMap(pathsOf))) {
    const graph = await read(path);
    checkGraph(path, graph, virtual);
    graphs.set(path, graph);
  }
  const sizes = new Map(manifest.files.map(({ path, bytes }) => [path, bytes]));
  const stream = shardStream(shards.map((path) => ({ bytes: sizes.get(path) ?? 0, read: () => read(path) })));
  let rested = performance.now();
  const onTensor = async (done: number) => {
    onBytes?.(done, index.bytes);
    if (performance.now() - rested < 50) return;
    // Unpacking never waits for anything by itself, and a cancel would not be heard.
    await new Promise((resolve) => setTimeout(resolve));
    if (signal?.aborted) throw new CancelledError();
    rested = performance.now();
  };
  const staying = packed ? names.filter((name) => pathsOf(name)[0] !== manifest.graphs[name]?.file) : [];
  const weights = await expandWeights(index, names, stream, { packed: staying, onTensor });
  return { graphs, weights, dtype };
}
