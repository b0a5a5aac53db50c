import type { FetchFile } from "./store/request";

/** A file of a folder that was dropped on the page, or chosen. */
export interface PlacedFile {
  /** Inside the folder, with forward slashes. */
  readonly path: string;
  readonly file: Blob;
}

/**
 * The model among the files dropped: whatever lies beside and below the topmost `manifest.json`, by its path from there, and
 * the name of that folder, empty where it was not dropped. Null where there is no manifest.
 */
export function modelFolder(dropped: readonly PlacedFile[]): { name: string; files: PlacedFile[] } | null {
  const manifests = dropped.filter(({ path }) => path.split("/").at(-1) === "manifest.json");
  const top = manifests.sort((a, b) => depth(a) - depth(b))[0];
  if (!top) return null;
  const root = top.path.slice(0, -"manifest.json".length);
  const files = dropped
    .filter(({ path }) => path.startsWith(root))
    .map(({ path, file }) => ({ path: path.slice(root.length), file }));
  return { name: root.split("/").at(-2) ?? "", files };
}

function depth({ path }: PlacedFile): number {
  return path.split("/").length;
}

/** Answers requests for the files of a folder as a server would, ranges included. */
export function fetchFromFiles(files: readonly PlacedFile[]): FetchFile {
  const byPath = new Map(files.map(({ path, file }) => [path, file]));
  const byName = new Map(files.map(({ path, file }) => [path.split("/").at(-1), file]));
  return async (url, { headers }) => {
    const path = url.slice(url.indexOf("/") + 1);
    // Files that were dropped without their folder have lost the way to them; their SHA-256 tells whether they are meant.
    const file = byPath.get(path) ?? byName.get(path.split("/").at(-1));
    if (!file) return new Response(null, { status: 404 });
    const from = Number(/^bytes=(\d+)-$/.exec(headers?.Range ?? "")?.[1] ?? 0);
    if (from === 0) return new Response(file, { headers: { "content-type": "application/octet-stream" } });
    if (from >= file.size) {
      return new Response(null, { status: 416, headers: { "content-range": `bytes */${file.size}` } });
    }
    const range = `bytes ${from}-${file.size - 1}/${file.size}`;
    return new Response(file.slice(from), { status: 206, headers: { "content-range": range } });
  };
}
