import { CancelledError, ElfError } from "../flow/errors";
import { type Manifest, type ManifestFile, parseManifest } from "./manifest";

/** A file of the model that is not where the manifest says. */
export class MissingFileError extends ElfError {
  readonly code = "missing-file";
}

/** A file that ended before its last byte. */
export class TruncatedFileError extends ElfError {
  readonly code = "truncated-file";
}

/** A file with other bytes than those the manifest was written for. */
export class CorruptFileError extends ElfError {
  readonly code = "corrupt-file";
}

/** The place that holds the model does not answer. */
export class UnreachableError extends ElfError {
  readonly code = "unreachable";
}

/** A page whose origin is not secure, where the browser offers no SHA-256. */
export class InsecurePageError extends ElfError {
  readonly code = "insecure-page";
}

/** How files are had: the browser's `fetch`, or a reader of a folder that answers in the same way. */
export type FetchFile = (url: string, init: { signal?: AbortSignal }) => Promise<Response>;

export interface FetchOptions {
  /** Folder that holds `manifest.json`, ending in `/`. */
  readonly baseUrl: string;
  readonly fetchFile: FetchFile;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Fetches and reads the model's `manifest.json`.
 * @throws {MissingFileError | UnreachableError | ManifestError | ManifestVersionError | CancelledError}
 */
export async function fetchManifest(options: FetchOptions): Promise<Manifest> {
  const response = await open("manifest.json", options);
  return parseManifest(await cancellable(response.text(), "manifest.json", options.signal));
}

/**
 * Fetches the files at `paths`, each checked against its size and SHA-256 in the manifest before it is handed out.
 * `onProgress` gets bytes so far and bytes in all, over all files together, at every chunk that arrives.
 * @throws {MissingFileError | TruncatedFileError | CorruptFileError | UnreachableError | InsecurePageError | CancelledError}
 */
export async function fetchFiles(
  manifest: Manifest,
  paths: readonly string[],
  options: FetchOptions,
  onProgress: (loadedBytes: number, totalBytes: number) => void = () => {},
): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const wanted = [...new Set(paths)].map((path) => entryOf(manifest, path));
  const totalBytes = wanted.reduce((sum, file) => sum + file.bytes, 0);
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  let loadedBytes = 0;
  onProgress(0, totalBytes);
  for (const file of wanted) {
    const bytes = await download(file, options, (chunk) => {
      loadedBytes += chunk;
      onProgress(loadedBytes, totalBytes);
    });
    await verify(file, bytes);
    files.set(file.path, bytes);
  }
  return files;
}

function entryOf(manifest: Manifest, path: string): ManifestFile {
  const entry = manifest.files.find((file) => file.path === path);
  if (entry) return entry;
  throw new MissingFileError(`${manifest.name} has no file ${path}.`, "Export the model again with `elf export`.");
}

async function open(path: string, { baseUrl, fetchFile, signal }: FetchOptions): Promise<Response> {
  const url = `${baseUrl}${path}`;
  const response = await cancellable(fetchFile(url, signal ? { signal } : {}), path, signal);
  // Servers of single-page apps answer a missing file with their page and status 200; no file of a model is HTML.
  const isPage = response.headers.get("content-type")?.startsWith("text/html") ?? false;
  if (response.ok && !isPage) return response;
  // The rest of the answer is of no use to anyone.
  await response.body?.cancel();
  if (response.status === 404 || isPage) {
    throw new MissingFileError(
      `There is no ${path} at ${baseUrl}.`,
      "Check the model's name and address, or export it again.",
    );
  }
  throw new UnreachableError(
    `${path} could not be loaded: the server answered ${response.status}.`,
    "Try again in a while.",
  );
}

async function download(
  file: ManifestFile,
  options: FetchOptions,
  onChunk: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await open(file.path, options);
  const bytes = new Uint8Array(file.bytes);
  let filled = 0;
  const reader = response.body?.getReader();
  while (reader) {
    const { done, value } = await cancellable(reader.read(), file.path, options.signal);
    if (done) break;
    if (filled + value.length > bytes.length) {
      await reader.cancel();
      throw new CorruptFileError(
        `${file.path} is longer than the ${file.bytes} bytes its manifest lists.`,
        "Reload the page without its cache, or export the model again.",
      );
    }
    bytes.set(value, filled);
    filled += value.length;
    onChunk(value.length);
  }
  if (filled < bytes.length) {
    throw new TruncatedFileError(
      `${file.path} ended after ${filled} of ${file.bytes} bytes.`,
      "Load the model again; if it ends at the same place, the copy on the server is incomplete.",
    );
  }
  return bytes;
}

async function verify(file: ManifestFile, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  // TypeScript believes that every page has `subtle`; browsers leave it out on plain http.
  const subtle = crypto.subtle as SubtleCrypto | undefined;
  if (!subtle) {
    throw new InsecurePageError(
      "This browser checks downloads only on secure pages.",
      "Open the page over https, or from localhost.",
    );
  }
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (sha256 === file.sha256) return;
  throw new CorruptFileError(
    `${file.path} is not the file its manifest was written for (SHA-256 ${sha256.slice(0, 12)}… instead of ${file.sha256.slice(0, 12)}…).`,
    "Reload the page without its cache, or export the model again.",
  );
}

/** Waits for a piece of network traffic and names what goes wrong with it. */
async function cancellable<T>(traffic: Promise<T>, path: string, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await traffic;
  } catch (cause) {
    if (signal?.aborted) throw new CancelledError("The download was cancelled.");
    if (cause instanceof ElfError) throw cause;
    throw new UnreachableError(
      `${path} could not be loaded: ${cause instanceof Error ? cause.message : String(cause)}.`,
      "Check the connection and load again.",
      { cause },
    );
  }
}
