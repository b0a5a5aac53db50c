/**
 * The sampler with everything on the GPU: z, x̂, noise and schedule never leave it. It does what `flow/sampler.ts` does,
 * step by step, but for a pass of the network there is one dispatch of the step kernel (`step-wgsl.ts`), and nothing
 * comes back until somebody looks: a reading (tokens, their probabilities, entropies), or z and x̂ for a fork.
 */
import { CancelledError } from "../../flow/errors";
import type { Reading } from "../../flow/network";
import type { FlowConstants, FlowOptions, FlowState } from "../../flow/sampler";
import type { SamplerSettings } from "../../flow/settings";
import type { Frame } from "../../flow/trajectory";
import { overflowed } from "../graphs";
import { download, makeBuffers, type RunBuffers } from "./buffers";
import type { DenoiserTensors, GpuNetwork } from "./network";
import { type Dispatch, passesOf, planRun } from "./plan";
import { StepKernel, stepPipeline } from "./step-kernel";

/** A run after one of its steps, on the device. It can be looked at until the run is asked for the next. */
export interface GpuState {
  /** 0 is the start, N the end. */
  readonly step: number;
  readonly t: number;
  /** Reads z and x̂ as tokens, in one decoder pass; a frame for each sample. */
  read(): Promise<Frame[]>;
  /** Fetches z and x̂, for a run to be continued from here. */
  download(): Promise<FlowState>;
}

/**
 * Runs the flow on the GPU: yields the start and then the state after each of the N steps, as `flow` does and with its
 * options. Settings and prompts must have been checked. The run's buffers are freed when the generator ends, fails or is
 * returned from (as `for await` does when it is left).
 * @throws {CancelledError} the signal was aborted; looked at before every pass of the network.
 * @throws {GpuMemoryError} the device has no room for the run.
 * @throws {DeviceLostError | SessionError} the device is gone, or computes no numbers; states read before are unharmed.
 */
export function gpuFlow(
  network: GpuNetwork,
  settings: SamplerSettings,
  constants: FlowConstants,
  options: FlowOptions = {},
): AsyncGenerator<GpuState, void> {
  return follow(network, settings, constants, { batch: 1, ...options }, undefined);
}

/**
 * The rest of a run: from the state `from`, by step `first` of the schedule and those after it, as `followFlow` does.
 * @throws as `gpuFlow` does.
 */
export function followGpuFlow(
  network: GpuNetwork,
  from: FlowState,
  first: number,
  settings: SamplerSettings,
  constants: FlowConstants,
  options: FlowOptions = {},
): AsyncGenerator<GpuState, void> {
  return follow(network, settings, constants, { ...options, batch: from.batch }, { ...from, step: first });
}

/**
 * Passes submitted before the device is waited for. Without it a run nobody reads would be queued whole, so that a cancel
 * came too late; and iOS gives up after some 500 passes that were never waited for.
 */
const MOST_AHEAD = 8;

async function* follow(
  network: GpuNetwork,
  settings: SamplerSettings,
  constants: FlowConstants,
  { batch, condition, clamp, signal }: FlowOptions & { readonly batch: number },
  entry: FlowState | undefined,
): AsyncGenerator<GpuState, void> {
  const { runtime, device, latentSize, takesSelfCondScale } = network;
  const { length, selfCondScale } = settings;
  const passes = passesOf(settings, condition !== undefined, takesSelfCondScale);
  const shape = { ...passes, count: batch * length * latentSize, latentSize, batch, length };
  const plan = planRun(settings, constants, shape, entry);
  const pipeline = await runtime.orLost(stepPipeline(device));
  const [prefixLength, width] = network.prefixShape;
  const prefixBytes = prefixLength * width * Float32Array.BYTES_PER_ELEMENT;
  const contents = { shape, plan, prefixBytes, condition, clamp, selfCondScale, entry };
  const buffers = await runtime.orLost(makeBuffers(device, contents));
  try {
    const kernel = new StepKernel(device, pipeline, buffers);
    const run = new GpuRun(network, buffers);
    // The last dispatch asks no more.
    const times = plan.slice(0, -1).map(({ asksAt }) => asksAt);
    await network.prepare(times, selfCondScale, buffers.prefixes);
    for (const [i, dispatch] of plan.entries()) {
      if (i > 0) {
        if (signal?.aborted) throw new CancelledError();
        await run.predict();
        if (i % MOST_AHEAD === 0) await runtime.orLost(device.queue.onSubmittedWorkDone());
      }
      kernel.submit(i);
      // The state that a run goes on from is known to whoever gave it.
      if (entry && i === 0) continue;
      const { state, end } = run.look(dispatch);
      yield state;
      end();
    }
  } finally {
    buffers.destroy();
  }
}

/** What a run does with its buffers besides stepping. */
class GpuRun {
  readonly #inputs: DenoiserTensors;
  readonly #answers: ReturnType<GpuNetwork["tensor"]>;

  constructor(
    private readonly network: GpuNetwork,
    private readonly buffers: RunBuffers,
  ) {
    const { passes, batch, length, latentSize } = buffers.shape;
    const rows = passes * batch;
    const latents = [rows, length, latentSize];
    this.#inputs = {
      z: network.tensor(buffers.input, latents),
      x_hat_prev: network.tensor(buffers.previous, latents),
      prefix: network.tensor(buffers.prefix, [1, ...network.prefixShape]),
    };
    this.#answers = network.tensor(buffers.answers, latents);
  }

  /** All passes of one prediction, as one batch. */
  predict(): Promise<void> {
    return this.network.denoise(this.#inputs, this.#answers);
  }

  /** The state that the buffers hold now, for as long as `end` is not called. */
  look(dispatch: Dispatch): { state: GpuState; end: () => void } {
    const { completes: step, t } = dispatch;
    let over = false;
    const whileHere = <T>(task: () => Promise<T>) => {
      if (over) throw new Error(`The run has left step ${step}.`);
      return task();
    };
    const state: GpuState = {
      step,
      t,
      read: async () => whileHere(() => this.#read(step, t)),
      download: async () => whileHere(() => this.#download(dispatch)),
    };
    return {
      state,
      end: () => {
        over = true;
      },
    };
  }

  async #read(step: number, t: number): Promise<Frame[]> {
    const { network } = this;
    const { shape, shown, scales, overflows } = this.buffers;
    const { batch, length, latentSize } = shape;
    const rows = 2 * batch;
    const latent = network.tensor(shown, [rows, length, latentSize]);
    const [wrong, readings] = await Promise.all([
      network.runtime.orLost(download(network.device, overflows)),
      network.decode(latent, network.tensor(scales, [rows]), rows, length),
    ]);
    if (new Uint32Array(wrong)[0] !== 0) throw overflowed("webgpu");
    return Array.from({ length: batch }, (_, row) => {
      const holds = readings[row] as Reading;
      // Before the first step there is no prediction yet, only zeros.
      return { step, t, holds, expects: step === 0 ? holds : (readings[batch + row] as Reading) };
    });
  }

  async #download({ completes: step, t, predictedAt, olderAt }: Dispatch): Promise<FlowState> {
    const { runtime, device } = this.network;
    const { batch, count } = this.buffers.shape;
    const all = new Float32Array(await runtime.orLost(download(device, this.buffers.shown)));
    const [z, prediction, before] = [0, 1, 2].map((part) => all.slice(part * count, (part + 1) * count)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const older = olderAt === undefined ? undefined : { prediction: before, predictedAt: olderAt };
    return { step, batch, t, z, prediction, predictedAt, older };
  }
}
