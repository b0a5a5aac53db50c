import type { Variant } from "../delivery/networkParts";
import { CancelledError } from "../flow/errors";
import type { Encoder, Network } from "../flow/network";
import type { Backend, Runtime } from "./runtime";
import { SelfTestError } from "./selfTest";
import { counts, describeAdapter, NoWebGpuError, noWebGpu } from "./webgpu";

/** A network and its encoder, whose memory can be given back. */
export interface OpenNetwork extends Network, Encoder {
  dispose(): Promise<void>;
}

/** How the backends of this machine are had; the engine's worker supplies the real ones. */
export interface Platform {
  findAdapter(): Promise<GPUAdapter | null>;
  startWebGpu(adapter: GPUAdapter): Promise<Runtime>;
  startWasm(): Promise<Runtime>;
}

export interface ChosenBackend<N extends OpenNetwork = OpenNetwork> {
  readonly network: N;
  readonly backend: Backend;
  /** The kernels it runs by. */
  readonly variant: Variant;
  /** Threads it computes on; 1 on a GPU. */
  readonly threads: number;
  /** Why, one sentence for the person. */
  readonly reason: string;
}

export interface ChooseOptions<N extends OpenNetwork = OpenNetwork> {
  readonly wanted: Backend | "auto";
  readonly platform: Platform;
  /** The graphs to try on a GPU, best first; wasm takes the plain ones. */
  readonly variants: readonly Variant[];
  /** Whether `open` tests what it opens. */
  readonly isTested: boolean;
  /** Opens the model on a runtime, which it gives back when it fails. */
  readonly open: (runtime: Runtime, variant: Variant) => Promise<N>;
}

/** How kernels are called in sentences. */
export const VARIANT_NAMES = {
  fused: "fused attention",
  plain: "plain attention",
  packed: "packed weights",
} as const satisfies Record<Variant, string>;

/**
 * Opens the model on the backend that is `wanted`, where it passes its self-test. `auto` takes the first of these that
 * does: a real GPU, with each of the graphs in turn, and wasm. A backend that is asked for by name is used or refused, a
 * software GPU too.
 * @throws {NoWebGpuError} `webgpu` was asked for and there is none.
 * @throws {SelfTestError} what was asked for, or even wasm, computes wrong numbers.
 * @throws {SessionError | RuntimeError | DeviceLostError | OutOfMemoryError | CancelledError}
 */
export async function chooseBackend<N extends OpenNetwork>(options: ChooseOptions<N>): Promise<ChosenBackend<N>> {
  const { wanted, platform } = options;
  if (wanted === "wasm") return onWasm(options, "It was asked for.");

  const adapter = await platform.findAdapter();
  if (!adapter) {
    if (wanted === "auto") return onWasm(options, "This browser offers no WebGPU.");
    throw noWebGpu();
  }
  const name = describeAdapter(adapter);
  if (!counts(adapter, wanted)) {
    return onWasm(options, `The only WebGPU adapter (${name}) computes on the CPU, where wasm is faster.`);
  }
  try {
    return await onGpu(options, adapter);
  } catch (error) {
    if (wanted === "webgpu" || error instanceof CancelledError) throw error;
    return onWasm(options, `The GPU (${name}) failed: ${messageOf(error)}`);
  }
}

async function onWasm<N extends OpenNetwork>(
  { platform, open }: ChooseOptions<N>,
  reason: string,
): Promise<ChosenBackend<N>> {
  const runtime = await platform.startWasm();
  const { threads } = runtime;
  return { network: await open(runtime, "plain"), backend: "wasm", variant: "plain", threads, reason };
}

async function onGpu<N extends OpenNetwork>(
  { platform, variants, isTested, open }: ChooseOptions<N>,
  first: GPUAdapter,
): Promise<ChosenBackend<N>> {
  const name = describeAdapter(first);
  const test = isTested ? "passed the model's self-test" : "was not tested: the model brings no self-test";
  const failures: string[] = [];
  for (const [i, variant] of variants.entries()) {
    try {
      // An adapter gives one device; after a failure there has to be another.
      const adapter = i === 0 ? first : await platform.findAdapter();
      if (!adapter) throw new NoWebGpuError("The GPU did not come back.", "Choose the wasm backend.");
      const runtime = await platform.startWebGpu(adapter);
      const network = await open(runtime, variant);
      const reason = [...failures, `The GPU (${name}) ${test}.`].join(" ");
      return { network, backend: "webgpu", variant, threads: runtime.threads, reason };
    } catch (error) {
      if (error instanceof CancelledError || i === variants.length - 1) throw error;
      const how = error instanceof SelfTestError ? "failed its self-test" : "does not run here";
      failures.push(`${capitalised(VARIANT_NAMES[variant])} ${how}: ${messageOf(error)}`);
    }
  }
  throw new Error("There is no graph to try.");
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
