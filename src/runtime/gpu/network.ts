import type { InferenceSession, Tensor } from "onnxruntime-web";
import { ElfError } from "../../flow/errors";
import type { Reading } from "../../flow/network";
import type { Manifest } from "../../format/manifest";
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
  /** P and H of a prefix (1, P, H), which tells a pass its time and scale. */
  readonly prefixShape: readonly [number, number];
  readonly #prefix: InferenceSession;
  readonly #denoiser: InferenceSession;
  readonly #decoder: InferenceSession;

  private constructor(
    manifest: Manifest,
    readonly runtime: Runtime,
    readonly device: GPUDevice,
    sessions: Record<"prefix" | "denoiser" | "decoder", InferenceSession>,
  ) {
    this.latentSize = manifest.architecture.latentSize;
    this.takesSelfCondScale = manifest.architecture.selfCondCfgTokens > 0;
    this.prefixShape = prefixShape(sessions.denoiser);
    this.#prefix = sessions.prefix;
    this.#denoiser = sessions.denoiser;
    this.#decoder = sessions.decoder;
  }

  /** The network of the model that is open on `runtime`; undefined where it does not run on WebGPU. */
  static on(runtime: Runtime, manifest: Manifest): GpuNetwork | undefined {
    const { device } = runtime;
    const [prefix, denoiser, decoder] = ["prefix", "x_hat", "top_tokens"].map((output) =>
      runtime.sessions.find(({ outputNames }) => outputNames.includes(output)),
    );
    if (!device || !prefix || !denoiser || !decoder) return undefined;
    return new GpuNetwork(manifest, runtime, device, { prefix, denoiser, decoder });
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
    const numbers = (values: Float32Array) => new this.runtime.ort.Tensor("float32", values, [times.length]);
    const inputs = {
      t: numbers(Float32Array.from(times)),
      self_cond_scale: numbers(new Float32Array(times.length).fill(selfCondScale)),
    };
    await this.#run("prefix", this.#prefix, inputs, {
      prefix: this.tensor(prefixes, [times.length, ...this.prefixShape]),
    });
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

function prefixShape(denoiser: InferenceSession): readonly [number, number] {
  const input = denoiser.inputMetadata.find(({ name }) => name === "prefix");
  const [, length, width] = input?.isTensor ? input.shape : [];
  if (typeof length === "number" && typeof width === "number") return [length, width];
  throw new SessionError("The denoiser graph does not say how long a prefix is.", "Export the model again.");
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
