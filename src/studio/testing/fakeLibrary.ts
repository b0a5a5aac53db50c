import type { Inventory, StoredModel } from "../../delivery/library";
import type { DownloadProgress } from "../../delivery/store/download";
import { MissingFileError } from "../../delivery/store/errors";
import { CancelledError } from "../../flow/errors";
import type { Dtype, Manifest } from "../../format/manifest";
import type { LibraryApi, ModelAddress } from "../../worker/libraryProtocol";
import { MANIFEST } from "./fakeEngine";

/** A library whose downloads go on when the test says so. */
export class FakeLibrary implements LibraryApi {
  /** Models that can be looked up, by the ends of their addresses. */
  readonly found = new Map<string, Manifest>([["models/test/", MANIFEST]]);
  readonly stored = new Map<string, StoredModel>();
  readonly looked: string[] = [];
  #open: { resolve(): void; reject(reason: unknown): void; report(progress: DownloadProgress): void } | undefined;

  async inventory(): Promise<Inventory> {
    return {
      models: [...this.stored.values()],
      space: { freeBytes: 1e9, usedBytes: 1e6, persisted: false },
      lasting: true,
    };
  }

  async look({ baseUrl, files }: ModelAddress): Promise<Manifest> {
    this.looked.push(baseUrl);
    const name = [...this.found.keys()].find((end) => baseUrl.endsWith(end));
    const manifest = files ? MANIFEST : this.found.get(name ?? "");
    if (!manifest) throw new MissingFileError(`There is no manifest.json at ${baseUrl}.`, "Check the address.");
    return manifest;
  }

  async download({ baseUrl }: ModelAddress, dtype: Dtype, onProgress: (progress: DownloadProgress) => void) {
    await new Promise<void>((resolve, reject) => {
      this.#open = { resolve, reject, report: onProgress };
    });
    const share = { storedBytes: 1000, totalBytes: 1000 };
    this.stored.set(baseUrl, { baseUrl, manifest: MANIFEST, dtypes: { [dtype]: share }, bytes: 1000, ownBytes: 1000 });
  }

  async cancel(): Promise<void> {
    this.#open?.reject(new CancelledError());
  }

  async remove(baseUrl: string): Promise<void> {
    this.stored.delete(baseUrl);
  }

  /** Reports progress of the download under way, or ends it. */
  report(progress: DownloadProgress): void {
    this.#open?.report(progress);
  }

  finish(fault?: unknown): void {
    if (fault) this.#open?.reject(fault);
    else this.#open?.resolve();
  }
}
