import type { InferenceSession, Tensor } from "onnxruntime-web";
import { ElfError } from "../../flow/errors";
import type { Reading } from "../../flow/network";
import type { Manifest } from "../manifest";
import type { Runtime } from "../runtime";
import { readingsOf, SessionError } from "../session";

/**
 * The graphs of an open model as the loop runs them: on tensors of the loop's own, which stay on the device. It borrows
 * the sessions that live on the model's runtime, and ends with them.
 */
export class GpuNetwork {
  /** D */
  readonly latentSize: number;
  readonly takesSelfCondScale: boolean;
  readonly device: GPUDevice;
  readonly #denoiser: InferenceSession;
  readonly #decoder: InferenceSession;

  private constructor(
    manifest: Manifest,
    readonly runtime: Runtime,
    graphs: { readonly device: GPUDevice; readonly denoiser: InferenceSession; readonly decoder: InferenceSession },
  ) {
    this.latentSize = manifest.architecture.latentSize;
    this.takesSelfCondScale = manifest.architecture.selfCondCfgTokens > 0;
    this.device = graphs.device;
    this.#denoiser = graphs.denoiser;
    this.#decoder = graphs.decoder;
  }

  /** The network of the model that is open on `runtime`; undefined where it does not run on WebGPU. */
  static on(runtime: Runtime, manifest: Manifest): GpuNetwork | undefined {
    const { device } = runtime;
    const denoiser = runtime.sessions.find(({ outputNames }) => outputNames.includes("x_hat"));
    const decoder = runtime.sessions.find(({ outputNames }) => outputNames.includes("top_tokens"));
    if (!device || !denoiser || !decoder) return undefined;
    return new GpuNetwork(manifest, runtime, { device, denoiser, decoder });
  }

  /** A buffer of the device as floats of this shape, of which it may hold more. */
  tensor(buffer: GPUBuffer, dims: readonly number[]): Tensor {
    return this.runtime.ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: [...dims] });
  }

  /**
   * Predicts x̂ into the tensor `answers`. Inputs and shapes are those of the denoiser graph (export/FORMAT.md).
   * @throws {SessionError | DeviceLostError}
   */
  async denoise(inputs: DenoiserTensors, answers: Tensor): Promise<void> {
    await this.#run("denoiser", this.#denoiser, { ...inputs }, { x_hat: answers });
  }

  /**
   * Reads `count` latents of `length` positions as tokens; all that comes back from the device.
   * @throws {SessionError | DeviceLostError}
   */
  async decode(latent: Tensor, scale: Tensor, count: number, length: number): Promise<Reading[]> {
    const inputs = { latent, self_cond_scale: scale };
    const outputs = await this.#run("decoder", this.#decoder, inputs, ["top_tokens", "top_probabilities", "entropy"]);
    return readingsOf(outputs, count, length);
  }

  async #run(
    graph: string,
    session: InferenceSession,
    inputs: Record<string, Tensor>,
    outputs: Record<string, Tensor> | readonly string[],
  ): Promise<InferenceSession.ReturnType> {
    // Networks without self-conditioning tokens have no input for the scale.
    const known = Object.fromEntries(Object.entries(inputs).filter(([name]) => session.inputNames.includes(name)));
    try {
      return await this.runtime.run(session, known, outputs);
    } catch (cause) {
      if (cause instanceof ElfError) throw cause;
      throw new SessionError(
        `The ${graph} failed on the GPU: ${cause instanceof Error ? cause.message : String(cause)}`,
        "Choose the wasm backend, or load the model again.",
        { cause },
      );
    }
  }
}

/** The inputs of the denoiser for R rows. */
export interface DenoiserTensors {
  /** (R, L, D) */
  readonly z: Tensor;
  /** (R, L, D) */
  readonly x_hat_prev: Tensor;
  /** (R) */
  readonly t: Tensor;
  /** (R) */
  readonly self_cond_scale: Tensor;
}
