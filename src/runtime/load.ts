import { Delivery } from "../delivery/delivery";
import { TOKENIZER, TOKENIZER_CONFIG } from "../delivery/modelFiles";
import {
  type GraphName,
  gpuVariants,
  NETWORK_GRAPHS,
  type NetworkParts,
  networkParts,
  storedDtype,
  type Variant,
} from "../delivery/networkParts";
import { requireWebAssembly } from "../delivery/policy";
import type { DownloadProgress } from "../delivery/store/download";
import type { FetchFile } from "../delivery/store/request";
import { memoryStorage, type Storage } from "../delivery/store/storage";
import { CancelledError } from "../flow/errors";
import type { Dtype, Manifest } from "../format/manifest";
import { openNetwork } from "./arrayNetwork";
import { type ChosenBackend, chooseBackend, type Platform } from "./backend";
import { GpuNetwork } from "./gpu/network";
import { deviceBytes, planMemory, requireMemory, usualRun } from "./memoryPlan";
import type { Backend } from "./runtime";
import { SelfTest } from "./selfTest";
import { createTokenizer, numberTokenizer, type Tokenizer } from "./tokenizer";
import { counts, noWebGpu } from "./webgpu";

/** Progress of a load, in the order the phases happen. */
export type LoadProgress =
  | { readonly phase: "manifest" }
  | ({ readonly phase: "download" } & DownloadProgress)
  | { readonly phase: "weights"; readonly doneBytes: number; readonly totalBytes: number }
  | { readonly phase: "session"; readonly graph: string }
  | { readonly phase: "check"; readonly graph: string };

export interface LoadOptions {
  /** Folder that holds `manifest.json`, ending in `/`. */
  readonly baseUrl: string;
  /** How the weights are stored; the model's default where none is given. */
  readonly dtype?: Dtype | undefined;
  readonly wanted: Backend | "auto";
  readonly platform: Platform;
  readonly fetchFile: FetchFile;
  /** Where the files are kept; in memory, for this load alone, where none is given. */
  readonly storage?: Storage | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** A model ready to run. */
export interface Model extends ChosenBackend {
  readonly manifest: Manifest;
  /** How its weights were stored. */
  readonly dtype: Dtype;
  readonly tokenizer: Tokenizer;
  /** Whether its files outlive the page. */
  readonly lasting: boolean;
  /** The network as the loop on the GPU runs it; undefined on other backends. */
  readonly gpu?: GpuNetwork | undefined;
  /** Fails with a DeviceLostError when the GPU that it runs on is lost. */
  readonly lost?: Promise<never> | undefined;
}

/**
 * Loads an exported model: manifest, files, tokenizer, sessions.
 * @throws {PolicyError} WebAssembly is forbidden here. @throws every named error of `delivery.ts`, `networkParts.ts`, `memoryPlan.ts`, `tokenizer.ts` and `backend.ts`, and
 * CancelledError.
 */
export async function loadModel(options: LoadOptions): Promise<Model> {
  const { baseUrl, platform, fetchFile, storage = memoryStorage(), signal, onProgress = () => {} } = options;

  // Nobody is to download a model for nothing.
  requireWebAssembly();
  onProgress({ phase: "manifest" });
  const delivery = await Delivery.open({ baseUrl, fetchFile, storage }, signal);
  const { manifest } = delivery;
  const dtype = options.dtype ?? manifest.defaultDtype;
  const { wanted, isPacked } = await fittingRun(manifest, dtype, options.wanted, platform);
  await delivery.download(dtype, (progress) => onProgress({ phase: "download", ...progress }), signal);

  const read = (path: string) => delivery.read(path, signal);
  const { vocabularySize } = manifest.architecture;
  const has = (path: string) => manifest.files.some((file) => file.path === path);
  const textOf = async (path: string) => new TextDecoder().decode(await read(path));
  const tokenizer = has(TOKENIZER)
    ? await createTokenizer(
        await textOf(TOKENIZER),
        vocabularySize,
        has(TOKENIZER_CONFIG) ? await textOf(TOKENIZER_CONFIG) : undefined,
      )
    : numberTokenizer(vocabularySize);

  let parts: NetworkParts | undefined;
  let arePacked = false;
  /** Unpacked once for all graphs that take the weights in this form. */
  const partsFor = async (variant: Variant) => {
    const packed = variant === "packed";
    if (parts && packed === arePacked) return parts;
    parts = undefined;
    const onBytes = (doneBytes: number, totalBytes: number) => onProgress({ phase: "weights", doneBytes, totalBytes });
    parts = await networkParts(manifest, dtype, NETWORK_GRAPHS, read, { signal, onBytes, packed });
    arePacked = packed;
    return parts;
  };
  const fetchLate = latePartsOf(delivery, dtype);
  const { selfTest: testPath } = storedDtype(manifest, dtype);
  const selfTest = testPath === undefined ? undefined : new SelfTest(await read(testPath));
  const chosen = await chooseBackend({
    wanted,
    platform,
    variants: isPacked ? ["packed"] : gpuVariants(manifest),
    isTested: selfTest !== undefined,
    open: async (runtime, variant) => {
      const onGraph = (graph: string) => onProgress({ phase: "session", graph });
      const onCheck = (graph: string) => onProgress({ phase: "check", graph });
      const options = { signal, variant, selfTest, onGraph, onCheck, fetchLate };
      const weights = await partsFor(variant).catch((error) => {
        // Nothing is opened on it that would give it back.
        runtime.release();
        throw error;
      });
      return openNetwork(manifest, weights, runtime, options);
    },
  });
  if (signal?.aborted) {
    await chosen.network.dispose();
    throw new CancelledError();
  }
  const { graphs } = chosen.network;
  return {
    manifest,
    dtype,
    tokenizer,
    lasting: storage.store.lasting,
    ...chosen,
    gpu: GpuNetwork.of(graphs),
    lost: graphs.runtime.lost,
  };
}

/**
 * Reads what is needed long after the load, whose signal has no more say then. Apart from `loadModel`, whose functions
 * would keep the weights: they share what they close over.
 */
function latePartsOf(delivery: Delivery, dtype: Dtype): (graphs: readonly GraphName[]) => Promise<NetworkParts> {
  return (graphs) => networkParts(delivery.manifest, dtype, graphs, (path) => delivery.read(path));
}

/**
 * Refuses a model that cannot run here before it is loaded, leaves no choice where only the GPU holds it, and says
 * whether its weights have to stay packed there.
 * @throws {TooLargeError | NoWebGpuError}
 */
async function fittingRun(
  manifest: Manifest,
  dtype: Dtype,
  wanted: Backend | "auto",
  platform: Platform,
): Promise<{ wanted: Backend | "auto"; isPacked: boolean }> {
  const inWasm = usualRun(manifest, dtype, "wasm");
  const onGpu = usualRun(manifest, dtype, "webgpu");
  const found = wanted === "wasm" ? null : await platform.findAdapter();
  const adapter = found && counts(found, wanted) ? found : null;
  if (wanted === "webgpu" && !adapter) throw noWebGpu();
  const machine = { limits: adapter?.limits ?? null, deviceBytes: deviceBytes() };
  const gpuPlan = planMemory(manifest, onGpu, machine);
  const fitsGpu = adapter !== null && gpuPlan.refusal === null;
  const fitsWasm = planMemory(manifest, inWasm, machine).refusal === null;
  if (wanted === "auto" && fitsGpu && !fitsWasm) return { wanted: "webgpu", isPacked: gpuPlan.isPacked };
  if (wanted === "webgpu") requireMemory(manifest, onGpu, machine);
  if (wanted !== "webgpu") requireMemory(manifest, inWasm, machine);
  return { wanted: wanted === "auto" && adapter && !fitsGpu ? "wasm" : wanted, isPacked: gpuPlan.isPacked };
}
