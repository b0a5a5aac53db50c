import { ElfError } from "../flow/errors";
import { type Dtype, type Manifest, type ManifestFile, parseManifest } from "../format/manifest";
import { formatBytes } from "./bytes";
import { UntrustedModelError } from "./graphCheck";
import { storedDtype } from "./networkParts";
import { fetchFromHost, pinned } from "./sources";
import { type DownloadProgress, download, requireRoomFor } from "./store/download";
import { CorruptFileError, MissingFileError, NoSpaceError, UnreachableError } from "./store/errors";
import { type FetchFile, request, untilDone } from "./store/request";
import { PassingFault, pauseAfter } from "./store/retry";
import { sha256Of } from "./store/sha256";
import { memoryStorage, type Storage } from "./store/storage";
import { checkManifest, MOST_MANIFEST_BYTES } from "./trust";

export interface DeliveryOptions {
  /** Folder that holds `manifest.json`, ending in `/`. */
  readonly baseUrl: string;
  readonly fetchFile: FetchFile;
  readonly storage: Storage;
}

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

/** A model whose manifest was read and can be trusted in what it says of sizes and shapes. */
export class Delivery {
  private constructor(
    readonly manifest: Manifest,
    /** Where its files are asked for; at a hub, that of one commit. */
    private readonly filesUrl: string,
    private readonly text: string,
    private readonly options: DeliveryOptions,
  ) {}

  /**
   * Reads the manifest: from where it comes from or, when nobody answers there, as it was kept.
   * @throws {MissingFileError | ForbiddenError | UnreachableError | ManifestError | ManifestVersionError | UntrustedModelError | CancelledError}
   */
  static async open(options: DeliveryOptions, signal?: AbortSignal): Promise<Delivery> {
    const kept = await options.storage.catalogue.get(options.baseUrl);
    try {
      const { text, filesUrl } = await fetchManifestText(options, kept !== null, signal);
      return new Delivery(readManifest(text), filesUrl, text, options);
    } catch (error) {
      if (!kept || !(error instanceof UnreachableError)) throw error;
      return new Delivery(readManifest(kept.manifest), options.baseUrl, kept.manifest, options);
    }
  }

  /** Notes the model and brings everything that it needs in `dtype` into the store. @throws every error of `download`. */
  async download(dtype: Dtype, onProgress?: (progress: DownloadProgress) => void, signal?: AbortSignal): Promise<void> {
    const { baseUrl, fetchFile, storage } = this.options;
    const files = filesOf(this.manifest, dtype);
    await requireRoomFor(files, storage.store);
    try {
      const before = await storage.catalogue.get(baseUrl);
      // Noted first: files that belong to no model are cleared away.
      if (before?.manifest !== this.text) {
        await storage.catalogue.put({ baseUrl, manifest: this.text, addedAt: before?.addedAt ?? Date.now() });
      }
      await download(files, { store: storage.store, baseUrl: this.filesUrl, fetchFile, signal, onProgress });
    } catch (error) {
      // Not every browser tells beforehand how much it will take.
      throw error instanceof NoSpaceError ? full(bytesOf(files), error) : error;
    }
  }

  /**
   * A file of the model, checked against its SHA-256. One that is not in the store, or is damaged there, is fetched first.
   * @throws {CorruptFileError} it is damaged each time; and every error of `download`.
   */
  async read(path: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const file = this.manifest.files.find((entry) => entry.path === path);
    if (!file) throw new MissingFileError(`${this.manifest.name} has no file ${path}.`, "Export the model again.");
    const { fetchFile, storage } = this.options;
    for (const mayRepeat of [true, false]) {
      await download([file], { store: storage.store, baseUrl: this.filesUrl, fetchFile, signal });
      const bytes = await storage.store.read(file.sha256);
      if (bytes && (await sha256Of(bytes)) === file.sha256) return bytes;
      await storage.store.remove(file.sha256);
      if (!mayRepeat) break;
    }
    throw new CorruptFileError(
      `${path} was stored and came back with other bytes, twice.`,
      "This device's storage may be failing. Delete the stored model, or use a private window, which keeps it in memory.",
    );
  }
}

/** The manifest of a model on this page's own server, without anything being kept. @throws as `Delivery.open`. */
export async function fetchManifest(baseUrl: string): Promise<Manifest> {
  return (await Delivery.open({ baseUrl, fetchFile: fetchFromHost, storage: memoryStorage() })).manifest;
}

/** Reads the text of a manifest and refuses what no export would write. */
export function readManifest(text: string): Manifest {
  const manifest = parseManifest(text);
  checkManifest(manifest);
  return manifest;
}

async function fetchManifestText(
  { baseUrl, fetchFile }: DeliveryOptions,
  isKept: boolean,
  signal: AbortSignal | undefined,
): Promise<{ text: string; filesUrl: string }> {
  const path = "manifest.json";
  return untilDone(
    {
      signal,
      // Somebody offline does not wait for what is here.
      pauseAfter: (failures, fault) => (isKept ? null : pauseAfter(failures, fault)),
    },
    async (attempt, alive) => {
      const response = await request(`${baseUrl}${path}`, path, fetchFile, { signal: attempt, cache: "no-cache" });
      const chunks: Uint8Array<ArrayBuffer>[] = [];
      let bytes = 0;
      const reader = response.body?.getReader();
      while (reader) {
        const { done, value } = await reader.read().catch((cause: unknown) => {
          if (cause instanceof ElfError) throw cause;
          throw new PassingFault(`The connection broke in ${path}.`, null, { cause });
        });
        if (done) break;
        bytes += value.length;
        if (bytes > MOST_MANIFEST_BYTES) {
          await reader.cancel();
          throw new UntrustedModelError(`${path} does not end.`, "Use a model that `elf export` wrote.");
        }
        chunks.push(value);
        alive();
      }
      return { text: await new Blob(chunks).text(), filesUrl: pinned(baseUrl, response) };
    },
  );
}

function full(bytes: number, cause: NoSpaceError): NoSpaceError {
  return new NoSpaceError(
    `This model needs ${formatBytes(bytes)} of storage, and the browser's is full.`,
    "Delete stored models in the model shelf, free space on this device, or choose a smaller precision. What has come is kept.",
    { cause },
  );
}
