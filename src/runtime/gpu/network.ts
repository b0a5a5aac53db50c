import type { Tensor } from "onnxruntime-web";
import type { Reading } from "../../flow/network";
import type { Graphs } from "../graphs";
import type { Runtime } from "../runtime";

/** A model's graphs as the loop on the GPU asks them: on tensors of the loop's own, which stay on the device. */
export class GpuNetwork {
  /** D */
  readonly latentSize: number;
  readonly takesSelfCondScale: boolean;
  readonly runtime: Runtime;
  /** P and H of a prefix (1, P, H), which tells a pass its time and scale. */
  readonly prefixShape: readonly [number, number];

  private constructor(
    private readonly graphs: Graphs,
    readonly device: GPUDevice,
  ) {
    this.latentSize = graphs.latentSize;
    this.takesSelfCondScale = graphs.takesSelfCondScale;
    this.runtime = graphs.runtime;
    this.prefixShape = graphs.prefixShape();
  }

  /** Undefined where the graphs are not open on WebGPU. */
  static of(graphs: Graphs): GpuNetwork | undefined {
    const { device } = graphs.runtime;
    return device && new GpuNetwork(graphs, device);
  }

  /** A buffer of the device as floats of this shape, of which it may hold more. */
  tensor(buffer: GPUBuffer, dims: readonly number[]): Tensor {
    return this.runtime.ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: [...dims] });
  }

  /**
   * Computes the prefixes of passes at `times` into `prefixes`, one behind the other.
   * @throws {SessionError | DeviceLostError}
   */
  async prepare(times: readonly number[], selfCondScale: number, prefixes: GPUBuffer): Promise<void> {
    if (times.length === 0) return;
    const shape = [times.length, ...this.prefixShape];
    await this.graphs.prefixes(times, selfCondScale, this.tensor(prefixes, shape));
  }

  /**
   * Predicts x̂ into the tensor `answers`. Inputs and shapes are those of the denoiser graph (export/FORMAT.md).
   * @throws {SessionError | DeviceLostError}
   */
  async denoise(inputs: DenoiserTensors, answers: Tensor): Promise<void> {
    await this.graphs.run("denoiser", { ...inputs }, { x_hat: answers });
  }

  /**
   * Reads `count` latents of `length` positions as tokens; all that comes back from the device.
   * @throws {SessionError | DeviceLostError}
   */
  decode(latent: Tensor, scale: Tensor, count: number, length: number): Promise<Reading[]> {
    return this.graphs.readings(latent, scale, count, length);
  }
}

/** The inputs of the denoiser for R rows. */
export interface DenoiserTensors {
  /** (R, L, D) */
  readonly z: Tensor;
  /** (R, L, D) */
  readonly x_hat_prev: Tensor;
  /** (1, P, H): all rows share it. */
  readonly prefix: Tensor;
}
