import { CancelledError } from "../flow/errors";
import { type ChosenBackend, chooseBackend, type OpenNetwork, type Platform } from "./backend";
import { GpuNetwork } from "./gpu/network";
import type { Dtype, Manifest } from "./manifest";
import { NETWORK_GRAPHS, networkParts, partPaths } from "./networkParts";
import type { Backend, Runtime } from "./runtime";
import { openNetwork } from "./session";
import { createTokenizer, numberTokenizer, type Tokenizer } from "./tokenizer";
import { type FetchFile, type FetchOptions, fetchFiles, fetchManifest } from "./weights";

/** Progress of a load, in the order the phases happen. */
export type LoadProgress =
  | { readonly phase: "manifest" }
  | { readonly phase: "download"; readonly loadedBytes: number; readonly totalBytes: number }
  | { readonly phase: "session"; readonly graph: string }
  | { readonly phase: "probe" };

export interface LoadOptions {
  /** Folder that holds `manifest.json`, ending in `/`. */
  readonly baseUrl: string;
  /** How the weights are stored; the model's default where none is given. */
  readonly dtype?: Dtype | undefined;
  readonly wanted: Backend | "auto";
  readonly platform: Platform;
  readonly fetchFile: FetchFile;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** A model ready to run. */
export interface Model extends ChosenBackend {
  readonly manifest: Manifest;
  readonly tokenizer: Tokenizer;
  /** The network as the loop on the GPU runs it; undefined on other backends. */
  readonly gpu?: GpuNetwork | undefined;
  /** Fails with a DeviceLostError when the GPU that it runs on is lost. */
  readonly lost?: Promise<never> | undefined;
}

const TOKENIZER = "tokenizer.json";

/**
 * Loads an exported model: manifest, files, tokenizer, sessions.
 * @throws every named error of `weights.ts`, `manifest.ts`, `weightIndex.ts`, `tokenizer.ts` and `backend.ts`, and
 * CancelledError.
 */
export async function loadModel(options: LoadOptions): Promise<Model> {
  const { baseUrl, wanted, platform, fetchFile, signal, onProgress = () => {} } = options;
  const fetching: FetchOptions = { baseUrl, fetchFile, signal };

  onProgress({ phase: "manifest" });
  const manifest = await fetchManifest(fetching);
  const hasTokenizer = manifest.files.some((file) => file.path === TOKENIZER);
  const dtype = options.dtype ?? manifest.defaultDtype;
  const needed = partPaths(manifest, dtype, NETWORK_GRAPHS);
  const paths = hasTokenizer ? [TOKENIZER, ...needed] : needed;
  const files = await fetchFiles(manifest, paths, fetching, (loadedBytes, totalBytes) =>
    onProgress({ phase: "download", loadedBytes, totalBytes }),
  );

  const { vocabularySize } = manifest.architecture;
  const json = files.get(TOKENIZER);
  const tokenizer = json
    ? await createTokenizer(new TextDecoder().decode(json), vocabularySize)
    : numberTokenizer(vocabularySize);

  const parts = await networkParts(manifest, dtype, NETWORK_GRAPHS, files);
  const runtimes = new Map<OpenNetwork, Runtime>();
  const chosen = await chooseBackend({
    wanted,
    platform,
    probeLength: manifest.defaults.length,
    open: async (runtime) => {
      const network = await openNetwork(manifest, parts, runtime, {
        signal,
        onGraph: (graph) => onProgress({ phase: "session", graph }),
        // Long after the load, which alone the signal was meant to end.
        fetchLate: async (graphs) => {
          const late = await fetchFiles(manifest, partPaths(manifest, dtype, graphs), { baseUrl, fetchFile });
          return networkParts(manifest, dtype, graphs, late);
        },
      });
      runtimes.set(network, runtime);
      return network;
    },
    onProbe: () => onProgress({ phase: "probe" }),
  });
  if (signal?.aborted) {
    await chosen.network.dispose();
    throw new CancelledError();
  }
  const runtime = runtimes.get(chosen.network);
  return { manifest, tokenizer, ...chosen, gpu: runtime && GpuNetwork.on(runtime, manifest), lost: runtime?.lost };
}
