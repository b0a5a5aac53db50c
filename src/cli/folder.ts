import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { addressOf, loadModel } from "../package/node";
import type { LoadProgress, Model } from "../runtime/load";

const MODELS = resolve(import.meta.dirname, "../../models");

/**
 * The address of a model's folder, ending in `/`: of `models/NAME`, or of whatever the package takes.
 * @throws {SourceError} there is no exported model.
 */
export function modelAddress(source: string): string {
  const shipped = join(MODELS, source);
  return addressOf(existsSync(join(shipped, "manifest.json")) ? shipped : source);
}

/**
 * Loads a model, in wasm.
 * @throws {SourceError} there is no exported model; and whatever `loadModel` throws.
 */
export async function loadFolder(source: string, onProgress?: (progress: LoadProgress) => void): Promise<Model> {
  return (await loadModel(modelAddress(source), { onProgress })).loaded;
}
