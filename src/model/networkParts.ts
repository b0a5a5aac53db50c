import { expandWeights, streamOf, type VirtualFile } from "./expand";
import type { Dtype, Manifest, StoredDtype } from "./manifest";
import { parseWeightIndex } from "./weightIndex";
import { MissingFileError } from "./weights";

/** The graphs that every run of the sampler needs; a prompt needs the encoder too. */
export const NETWORK_GRAPHS = ["denoiser", "decoder"] as const;
export type GraphName = (typeof NETWORK_GRAPHS)[number] | "encoder";

/** Graphs by the paths of their files, and the weights that they read, as `openNetwork` takes them. */
export interface NetworkParts {
  readonly graphs: ReadonlyMap<string, Uint8Array>;
  readonly weights: readonly VirtualFile[];
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

/** The files that `networkParts` needs for these graphs; those that the model lacks need none. */
export function partPaths(manifest: Manifest, dtype: Dtype, graphs: readonly GraphName[]): string[] {
  const { index, shards } = storedDtype(manifest, dtype);
  return [...graphs.flatMap((name) => manifest.graphs[name]?.file ?? []), index, ...shards];
}

/**
 * Puts together what lies in `files`, the bytes of `partPaths` of the same graphs.
 * @throws {WeightIndexError | MissingFileError}
 */
export async function networkParts(
  manifest: Manifest,
  dtype: Dtype,
  graphs: readonly GraphName[],
  files: ReadonlyMap<string, Uint8Array>,
): Promise<NetworkParts> {
  const { index, shards } = storedDtype(manifest, dtype);
  const bytes = (path: string) => {
    const found = files.get(path);
    if (!found) throw new Error(`${path} was not fetched before its session.`);
    return found;
  };
  const parsed = parseWeightIndex(new TextDecoder().decode(bytes(index)));
  const weights = await expandWeights(parsed, graphs, streamOf(shards.map(bytes)));
  return { graphs: files, weights };
}
