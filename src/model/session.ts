import type { InferenceSession, Tensor } from "onnxruntime-web";
import { CancelledError, ElfError } from "../flow/errors";
import type { DenoiseInput, Network, Reading } from "../flow/network";
import type { Manifest } from "./manifest";
import { DeviceLostError, type Runtime } from "./runtime";

/** A graph that the runtime refuses, or a run that fails. */
export class SessionError extends ElfError {
  readonly code = "session";
}

/** The graphs a run of the sampler needs. */
const GRAPHS = ["denoiser", "decoder"] as const;
type GraphName = (typeof GRAPHS)[number];

/** The border of each graph (export/FORMAT.md). The decoder's `logits` stay where they are: they are large. */
const BORDERS = {
  denoiser: { inputs: ["z", "x_hat_prev", "t", "self_cond_scale"], outputs: ["x_hat"] },
  decoder: { inputs: ["latent", "self_cond_scale"], outputs: ["top_tokens", "top_probabilities", "entropy"] },
} as const satisfies Record<GraphName, { inputs: readonly string[]; outputs: readonly string[] }>;

/** The files of `manifest` that `openNetwork` needs. */
export function networkFiles(manifest: Manifest): string[] {
  return GRAPHS.flatMap((name) => [manifest.graphs[name].file, ...manifest.graphs[name].weights]);
}

export interface OpenNetworkOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onGraph?: (graph: string) => void;
}

/**
 * Creates the sessions of a model's graphs on `runtime`, which then belongs to the network and is released with it, or
 * at once on failure. `files` holds the bytes of `networkFiles(manifest)`.
 * @throws {SessionError} the runtime refuses a graph, or a graph lacks an input or output of the format.
 * @throws {DeviceLostError | CancelledError}
 */
export async function openNetwork(
  manifest: Manifest,
  files: ReadonlyMap<string, Uint8Array>,
  runtime: Runtime,
  { signal, onGraph }: OpenNetworkOptions = {},
): Promise<OrtNetwork> {
  const sessions: Partial<Record<GraphName, InferenceSession>> = {};
  try {
    for (const name of GRAPHS) {
      if (signal?.aborted) throw new CancelledError();
      onGraph?.(name);
      sessions[name] = await openGraph(name, manifest, files, runtime);
    }
  } catch (error) {
    for (const session of Object.values(sessions)) await runtime.releaseSession(session);
    runtime.release();
    throw error;
  }
  return new OrtNetwork(manifest, runtime, sessions as Record<GraphName, InferenceSession>);
}

async function openGraph(
  name: GraphName,
  manifest: Manifest,
  files: ReadonlyMap<string, Uint8Array>,
  runtime: Runtime,
): Promise<InferenceSession> {
  const { file, weights } = manifest.graphs[name];
  const externalData = weights.map((path) => ({
    // Graphs name their weights by the bare file name.
    path: path.slice(path.lastIndexOf("/") + 1),
    data: bytesOf(path, files),
  }));
  const graph = bytesOf(file, files);
  const session = await named(`The ${name} graph cannot be opened on ${runtime.backend}`, () =>
    runtime.createSession(graph, externalData),
  );
  const { inputs, outputs } = BORDERS[name];
  const lacking = [
    ...inputs.filter((input) => !session.inputNames.includes(input)),
    ...outputs.filter((output) => !session.outputNames.includes(output)),
  ];
  if (lacking.length === 0) return session;
  await runtime.releaseSession(session);
  throw new SessionError(`The ${name} graph lacks ${lacking.join(", ")}.`, "Export the model again with `elf export`.");
}

function bytesOf(path: string, files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const bytes = files.get(path);
  if (!bytes) throw new Error(`${path} was not fetched before its session.`);
  return bytes;
}

/** The network on onnxruntime: two sessions, one per head. */
export class OrtNetwork implements Network {
  readonly latentSize: number;

  constructor(
    manifest: Manifest,
    private readonly runtime: Runtime,
    private readonly sessions: Readonly<Record<GraphName, InferenceSession>>,
  ) {
    this.latentSize = manifest.architecture.latentSize;
  }

  async denoise({ z, previous, t, selfCondScale }: DenoiseInput): Promise<Float32Array> {
    const shape = [1, z.length / this.latentSize, this.latentSize];
    const outputs = await this.#run("denoiser", {
      z: this.#floats(z, shape),
      x_hat_prev: this.#floats(previous, shape),
      t: this.#floats(Float32Array.of(t), [1]),
      self_cond_scale: this.#floats(Float32Array.of(selfCondScale), [1]),
    });
    const prediction = outputs.x_hat?.data as Float32Array;
    // Some GPUs overflow without a word; every later pass would only spread it.
    if (!prediction.every(Number.isFinite)) {
      throw new SessionError(
        `The network's numbers overflowed on ${this.runtime.backend}.`,
        this.runtime.backend === "webgpu"
          ? "Choose the wasm backend."
          : "Try another seed, or less self-cond CFG; if it happens again, the model is broken.",
      );
    }
    return prediction;
  }

  async decode(latents: readonly Float32Array[], selfCondScale: number): Promise<Reading[]> {
    const count = latents[0]?.length ?? 0;
    const length = count / this.latentSize;
    const batch = new Float32Array(latents.length * count);
    for (const [b, latent] of latents.entries()) batch.set(latent, b * count);
    const outputs = await this.#run("decoder", {
      latent: this.#floats(batch, [latents.length, length, this.latentSize]),
      self_cond_scale: this.#floats(new Float32Array(latents.length).fill(selfCondScale), [latents.length]),
    });
    const topTokens = Int32Array.from(outputs.top_tokens?.data as BigInt64Array, Number);
    const topProbabilities = outputs.top_probabilities?.data as Float32Array;
    const entropy = outputs.entropy?.data as Float32Array;
    const k = topTokens.length / (latents.length * length);
    return latents.map((_, b) => {
      const top = topTokens.slice(b * length * k, (b + 1) * length * k);
      return {
        tokens: top.filter((_, i) => i % k === 0),
        entropy: entropy.slice(b * length, (b + 1) * length),
        topTokens: top,
        topProbabilities: topProbabilities.slice(b * length * k, (b + 1) * length * k),
      };
    });
  }

  /** Frees the sessions and the runtime's device. */
  async dispose(): Promise<void> {
    for (const session of Object.values(this.sessions)) await this.runtime.releaseSession(session);
    this.runtime.release();
  }

  #run(graph: GraphName, inputs: Record<string, Tensor>): Promise<InferenceSession.ReturnType> {
    return named(`The ${graph} failed on ${this.runtime.backend}`, () =>
      this.runtime.run(this.sessions[graph], inputs, BORDERS[graph].outputs),
    );
  }

  #floats(data: Float32Array, shape: readonly number[]): Tensor {
    return new this.runtime.ort.Tensor("float32", data, shape);
  }
}

/** Turns what the runtime throws (often bare strings or numbers) into an error that says what was being done. */
async function named<T>(deed: string, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (cause) {
    if (cause instanceof DeviceLostError) throw cause;
    throw new SessionError(
      `${deed}: ${cause instanceof Error ? cause.message : String(cause)}`,
      "Choose the other backend, or load the model again; if it stays, export the model again.",
      { cause },
    );
  }
}
