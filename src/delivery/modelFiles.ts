import type { Dtype, Manifest, ManifestFile } from "../format/manifest";
import { storedDtype } from "./networkParts";

/** The file of the tokenizer; a model without it works on bare ids. */
export const TOKENIZER = "tokenizer.json";
/** How the tokenizer's text is cleaned up. */
export const TOKENIZER_CONFIG = "tokenizer_config.json";

/** Every file that a model needs to run in one dtype, with a prompt or without, on any backend. */
export function filesOf(manifest: Manifest, dtype: Dtype): ManifestFile[] {
  const { index, shards, selfTest } = storedDtype(manifest, dtype);
  const graphs = Object.values(manifest.graphs).flatMap((graph) => {
    const packed = dtype === "q8" || dtype === "q4" ? graph?.packed?.[dtype] : undefined;
    return graph ? [graph.file, graph.fused, packed] : [];
  });
  const wanted = new Set([TOKENIZER, TOKENIZER_CONFIG, ...graphs, index, ...shards, selfTest]);
  return manifest.files.filter(({ path }) => wanted.has(path));
}

/** Bytes of these files, each counted once. */
export function bytesOf(files: readonly ManifestFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
