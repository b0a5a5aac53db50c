import { type Catalogue, MemoryCatalogue, OpfsCatalogue } from "./catalogue";
import type { FileStore } from "./fileStore";
import { MemoryStore } from "./memoryStore";
import { type OpfsFile, OpfsStore, removeFile } from "./opfsStore";

/** Where models are kept: their files, and what is known of them. */
export interface Storage {
  readonly store: FileStore;
  readonly catalogue: Catalogue;
}

export function memoryStorage(): Storage {
  return { store: new MemoryStore(), catalogue: new MemoryCatalogue() };
}

/**
 * Opens what earlier visits kept. To be called in a worker: only there can files be written piece by piece. Where the
 * browser offers no file system, as in some private windows and on plain http, models are kept in memory for this visit.
 */
export async function openStorage(): Promise<Storage> {
  try {
    const root = await navigator.storage.getDirectory();
    const home = await root.getDirectoryHandle("elf-models", { create: true });
    const files = await home.getDirectoryHandle("files", { create: true });
    const catalogue = await home.getDirectoryHandle("catalogue", { create: true });
    await probe(home);
    return { store: new OpfsStore(files), catalogue: new OpfsCatalogue(catalogue) };
  } catch {
    return memoryStorage();
  }
}

/** Some browsers have the folders and refuse the files. */
async function probe(folder: FileSystemDirectoryHandle): Promise<void> {
  const name = `probe-${Math.random().toString(36).slice(2)}`;
  const file = (await folder.getFileHandle(name, { create: true })) as OpfsFile;
  try {
    (await file.createSyncAccessHandle()).close();
    if (!("move" in file)) throw new Error("Files cannot be renamed.");
  } finally {
    await removeFile(folder, name);
  }
}
