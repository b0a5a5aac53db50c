import type { Dtype, Manifest } from "../format/manifest";
import { formatBytes } from "./bytes";
import { fetchManifestText, readManifest } from "./fetchManifest";
import { bytesOf, filesOf } from "./modelFiles";
import { type DownloadProgress, download, requireRoomFor } from "./store/download";
import { CorruptFileError, MissingFileError, NoSpaceError, UnreachableError } from "./store/errors";
import type { FetchFile } from "./store/request";
import { sha256Of } from "./store/sha256";
import type { Storage } from "./store/storage";

export interface DeliveryOptions {
  /** Folder that holds `manifest.json`, ending in `/`. */
  readonly baseUrl: string;
  readonly fetchFile: FetchFile;
  readonly storage: Storage;
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

function full(bytes: number, cause: NoSpaceError): NoSpaceError {
  return new NoSpaceError(
    `This model needs ${formatBytes(bytes)} of storage, and the browser's is full.`,
    "Delete stored models in the model shelf, free space on this device, or choose a smaller precision. What has come is kept.",
    { cause },
  );
}
