import type { PlacedFile } from "../delivery/folder";
import type { Inventory } from "../delivery/library";
import type { DownloadProgress } from "../delivery/store/download";
import type { Dtype, Manifest } from "../format/manifest";

/** A model by where it comes from. */
export interface ModelAddress {
  /** Folder that holds `manifest.json`, ending in `/`. */
  readonly baseUrl: string;
  /** The files of a folder that was dropped on the page. */
  readonly files?: readonly PlacedFile[] | undefined;
}

/**
 * The face of the library's worker, which keeps models without running them, beside an engine that may be busy. Rejects
 * with named errors only.
 */
export interface LibraryApi {
  /** Everything that is stored, and the room there is. */
  inventory(): Promise<Inventory>;
  /** Reads and checks a model's manifest; keeps nothing. */
  look(address: ModelAddress): Promise<Manifest>;
  /** Brings a model into the store and goes on where an earlier download ended. */
  download(address: ModelAddress, dtype: Dtype, onProgress: (progress: DownloadProgress) => void): Promise<void>;
  /** Ends every look and download; what has come stays. */
  cancel(): Promise<void>;
  /** Deletes what is stored of a model. */
  remove(baseUrl: string): Promise<void>;
}
