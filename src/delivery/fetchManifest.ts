/** A manifest from where it lies: all that is needed to say what a model is and costs, without a part of what downloads it. */
import { ElfError } from "../flow/errors";
import { type Manifest, parseManifest } from "../format/manifest";
import { UntrustedModelError } from "./graphCheck";
import { fetchFromHost, pinned } from "./sources";
import { type FetchFile, request, untilDone } from "./store/request";
import { PassingFault, pauseAfter } from "./store/retry";
import { checkManifest, MOST_MANIFEST_BYTES } from "./trust";

/** The manifest of a model on this page's own server, without anything being kept. @throws as `Delivery.open`. */
export async function fetchManifest(baseUrl: string): Promise<Manifest> {
  return readManifest((await fetchManifestText({ baseUrl, fetchFile: fetchFromHost }, false)).text);
}

/** Reads the text of a manifest and refuses what no export would write. */
export function readManifest(text: string): Manifest {
  const manifest = parseManifest(text);
  checkManifest(manifest);
  return manifest;
}

/**
 * The text of the manifest in a folder, of a judge's where `path` says so, and where the files beside it are to be asked for; `isKept` where it is here as well.
 * @throws {MissingFileError | ForbiddenError | UnreachableError | UntrustedModelError | CancelledError}
 */
export async function fetchManifestText(
  { baseUrl, fetchFile }: { readonly baseUrl: string; readonly fetchFile: FetchFile },
  isKept: boolean,
  signal?: AbortSignal,
  path = "manifest.json",
): Promise<{ text: string; filesUrl: string }> {
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
