import type { PlacedFile } from "../../../delivery/folder";
import { problemOf } from "../../../flow/errors";
import { mayBeRun } from "../../session/kept/fileNames";
import type { Studio } from "../../session/studio";

/** More files than any model has: somebody dropped their whole disk. */
const MOST_FILES = 2000;

/** The files of a folder that was picked. */
export function pickedFiles(list: FileList): PlacedFile[] {
  return Array.from(list, (file) => ({ path: file.webkitRelativePath || file.name, file })).slice(0, MOST_FILES);
}

/** Opens what was dropped: runs and pictures of them, else a model. Never rejects: a file that cannot be read becomes a problem. */
export async function openDropped(transfer: DataTransfer, { openFiles, library, generation }: Opening): Promise<void> {
  try {
    const placed = await droppedFiles(transfer);
    if (placed.length > 0 && placed.every(({ path }) => mayBeRun(path))) {
      return await openFiles(placed.map(({ file }) => file));
    }
    library.getState().show(true);
    await library.getState().addFiles(placed);
  } catch (error) {
    generation.getState().raise(problemOf(error));
  }
}

type Opening = Pick<Studio, "openFiles" | "library" | "generation">;

/** The files that were dropped, those inside dropped folders too. */
async function droppedFiles(transfer: DataTransfer): Promise<PlacedFile[]> {
  // All at once: the browser forgets them as soon as the event has passed.
  const items = Array.from(transfer.items, (item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const placed: PlacedFile[] = [];
  for (const item of items) {
    if (item instanceof File) placed.push({ path: item.name, file: item });
    else if (item) await collect(item, placed);
  }
  return placed;
}

async function collect(entry: FileSystemEntry, placed: PlacedFile[]): Promise<void> {
  if (placed.length >= MOST_FILES) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    placed.push({ path: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // Gives a hundred at a time, and none when there are no more.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const inside of some) await collect(inside, placed);
  }
}
