import { createReadStream, existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { FetchFile } from "../delivery/store/request";
import { type LoadProgress, loadModel, type Model } from "../runtime/load";
import { wasmOnly } from "../runtime/wasmOnly";
import { UsageError } from "./options";

const MODELS = resolve(import.meta.dirname, "../../models");

/**
 * The address of a model's folder, ending in `/`: of `models/NAME`, or of a folder given by its path.
 * @throws {UsageError} there is no exported model.
 */
export function modelAddress(nameOrFolder: string): string {
  const folder = [join(MODELS, nameOrFolder), resolve(nameOrFolder)].find((candidate) =>
    existsSync(join(candidate, "manifest.json")),
  );
  if (folder) return `${pathToFileURL(folder).href}/`;
  throw new UsageError(
    `There is no model ${nameOrFolder}.`,
    "Give the name of a folder under models/, or the path of a folder that `elf export` wrote.",
  );
}

/** Answers `file:` addresses as a web server would. */
export const fetchFromFolder: FetchFile = async (url, { signal }) => {
  const path = fileURLToPath(url);
  if (!existsSync(path)) return new Response(null, { status: 404 });
  const stream = createReadStream(path, signal ? { signal } : {});
  return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>);
};

/**
 * Loads a model from its folder, in wasm.
 * @throws {UsageError} there is no exported model; and whatever `loadModel` throws.
 */
export function loadFolder(nameOrFolder: string, onProgress?: (progress: LoadProgress) => void): Promise<Model> {
  const baseUrl = modelAddress(nameOrFolder);
  return loadModel({
    baseUrl,
    wanted: "wasm",
    fetchFile: fetchFromFolder,
    platform: wasmOnly,
    ...(onProgress ? { onProgress } : {}),
  });
}
