import { CancelledError } from "../flow/errors";
import type { Encoder, Network } from "../flow/network";
import { normal } from "../flow/random";
import type { Backend, Runtime } from "./runtime";
import { describeAdapter, isSoftwareAdapter, NoWebGpuError } from "./webgpu";

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

export interface ChosenBackend {
  readonly network: OpenNetwork;
  readonly backend: Backend;
  /** One sentence for the person. */
  readonly reason: string;
}

export interface ChooseOptions {
  readonly wanted: Backend | "auto";
  readonly platform: Platform;
  /** Opens the model on a runtime. */
  readonly open: (runtime: Runtime) => Promise<OpenNetwork>;
  /** Sequence length of the probing passes. */
  readonly probeLength: number;
  /** Called once, before the probing passes. */
  readonly onProbe?: () => void;
}

/**
 * Opens the model on the backend that is `wanted`. `auto` takes a real GPU if one pass on it is faster than one in wasm
 * and gives the same numbers, and wasm in every other case. A backend that is asked for by name is used as it is, a
 * software GPU too.
 * @throws {NoWebGpuError} `webgpu` was asked for and there is none.
 * @throws {SessionError | RuntimeError | DeviceLostError | CancelledError}
 */
export async function chooseBackend(options: ChooseOptions): Promise<ChosenBackend> {
  const { wanted, platform, open } = options;
  const wasm = async (reason: string): Promise<ChosenBackend> => ({
    network: await open(await platform.startWasm()),
    backend: "wasm",
    reason,
  });
  if (wanted === "wasm") return wasm("wasm, as asked for.");

  const adapter = await platform.findAdapter();
  if (wanted === "webgpu") {
    if (!adapter) {
      throw new NoWebGpuError(
        "This browser offers no WebGPU here.",
        "Choose the wasm backend, or use a browser with WebGPU switched on.",
      );
    }
    const network = await open(await platform.startWebGpu(adapter));
    return { network, backend: "webgpu", reason: `WebGPU on ${describeAdapter(adapter)}, as asked for.` };
  }

  if (!adapter) return wasm("wasm: this browser offers no WebGPU.");
  if (isSoftwareAdapter(adapter)) {
    return wasm(
      `wasm: the only WebGPU adapter (${describeAdapter(adapter)}) computes on the CPU, where wasm is faster.`,
    );
  }
  return fasterBackend(adapter, options, wasm);
}

async function fasterBackend(
  adapter: GPUAdapter,
  { platform, open, probeLength, onProbe }: ChooseOptions,
  wasm: (reason: string) => Promise<ChosenBackend>,
): Promise<ChosenBackend> {
  onProbe?.();
  const name = describeAdapter(adapter);
  let gpu: OpenNetwork | undefined;
  let gpuPass: ProbePass;
  try {
    gpu = await open(await platform.startWebGpu(adapter));
    gpuPass = await probe(gpu, probeLength);
  } catch (error) {
    await gpu?.dispose();
    if (error instanceof CancelledError) throw error;
    return wasm(`wasm: the GPU (${name}) failed: ${error instanceof Error ? error.message : String(error)}`);
  }

  let cpu: ChosenBackend;
  let cpuPass: ProbePass;
  try {
    cpu = await wasm("");
    cpuPass = await probe(cpu.network, probeLength);
  } catch (error) {
    if (!(error instanceof CancelledError)) {
      return { network: gpu, backend: "webgpu", reason: `WebGPU on ${name}; wasm does not run here.` };
    }
    await gpu.dispose();
    throw error;
  }
  const times = `${gpuPass.milliseconds.toFixed(0)} ms a pass on ${name}, ${cpuPass.milliseconds.toFixed(0)} ms in wasm`;
  const agree = relativeDistance(gpuPass.prediction, cpuPass.prediction) < GREATEST_DISTANCE;
  if (agree && gpuPass.milliseconds < cpuPass.milliseconds) {
    await cpu.network.dispose();
    return { network: gpu, backend: "webgpu", reason: `WebGPU: ${times}.` };
  }
  await gpu.dispose();
  return { ...cpu, reason: agree ? `wasm: ${times}.` : `wasm: the GPU (${name}) computes other numbers than the CPU.` };
}

/** Both backends compute in 32-bit floats and differ by about 10⁻⁵; a wrong kernel is off by 10⁻¹ and more. */
const GREATEST_DISTANCE = 0.01;

interface ProbePass {
  readonly milliseconds: number;
  readonly prediction: Float32Array;
}

/** Times one pass after a first one, which compiles shaders and fills caches. */
async function probe(network: Network, length: number): Promise<ProbePass> {
  const count = length * network.latentSize;
  const z = normal([0, 0], count, "original");
  const input = { z, previous: new Float32Array(count), batch: 1, t: 0.5, selfCondScale: 1 };
  await network.denoise(input);
  const start = performance.now();
  const prediction = await network.denoise(input);
  return { milliseconds: performance.now() - start, prediction };
}

/** ‖a − b‖ / ‖b‖. */
function relativeDistance(a: Float32Array, b: Float32Array): number {
  let difference = 0;
  let size = 0;
  for (const [i, value] of b.entries()) {
    difference += ((a[i] as number) - value) ** 2;
    size += value ** 2;
  }
  return Math.sqrt(difference / size);
}
