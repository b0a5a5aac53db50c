/**
 * `elf-playground` in Node: loads models from folders, addresses and the hub, and writes texts with them in WebAssembly.
 * @packageDocumentation
 */
import { createReadStream, existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fetchFromHost, readSource, SourceError } from "../delivery/sources";
import type { FetchFile } from "../delivery/store/request";
import { loadModel as load } from "../runtime/load";
import { wasmOnly } from "../runtime/wasmOnly";
import { ElfModel } from "./model";
import type { LoadModelOptions } from "./options";

export * from "./headless";
export type { LoadModelOptions };

/**
 * Loads a model: from the folder at a path, or from where a browser would have it (`OWNER/NAME` of the hub, an address).
 * Every file is checked against its SHA-256; nothing is kept.
 * @throws {SourceError} there is no model. @throws every named error of loading: files that are missing or wrong, a backend
 * that is not there, too little memory. @throws {CancelledError} the signal was aborted.
 */
export async function loadModel(source: string | URL, options: LoadModelOptions = {}): Promise<ElfModel> {
  const { backend = "wasm", dtype, signal, onProgress } = options;
  const baseUrl = addressOf(String(source));
  return new ElfModel(
    await load({
      baseUrl,
      dtype,
      wanted: backend,
      platform: wasmOnly,
      fetchFile: fetchFromAnywhere,
      signal,
      onProgress,
    }),
  );
}

/**
 * The address of a model's folder, ending in `/`.
 * @throws {SourceError} there is none that could be meant.
 */
export function addressOf(source: string): string {
  const path = source.startsWith("file:") ? fileURLToPath(source) : resolve(source);
  if (existsSync(join(path, "manifest.json"))) return `${pathToFileURL(path).href.replace(/\/$/, "")}/`;
  try {
    if (!source.startsWith("file:")) return readSource(source, "http://localhost/").baseUrl;
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
  }
  throw new SourceError(
    `There is no model ${source}.`,
    "Give the path of a folder that `elf export` wrote, its https address, or OWNER/NAME of the hub.",
  );
}

/** As a browser fetches, and `file:` addresses as a web server would answer for them. */
export const fetchFromAnywhere: FetchFile = async (url, init) => {
  if (!url.startsWith("file:")) return fetchFromHost(url, init);
  // A stream whose signal is aborted already fails before anybody hears of it, and ends the program.
  init.signal?.throwIfAborted();
  const path = fileURLToPath(url);
  if (!existsSync(path)) return new Response(null, { status: 404 });
  const stream = createReadStream(path, init.signal ? { signal: init.signal } : {});
  return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>);
};
