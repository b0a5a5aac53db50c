import type { InferenceSession, Tensor } from "onnxruntime-web";
import { type GraphName, graphPath, NETWORK_GRAPHS, type NetworkParts, type Variant } from "../delivery/networkParts";
import { CancelledError, ConditionError, ElfError } from "../flow/errors";
import { type DenoiseInput, type Encoder, HIDDEN, type Network, type Reading, type Source } from "../flow/network";
import { joined } from "../flow/rows";
import type { Manifest } from "../format/manifest";
import { Prefixes } from "./prefixes";
import type { Backend, Runtime } from "./runtime";
import type { SelfTest } from "./selfTest";

/** A graph that the runtime refuses, or a run that fails. */
export class SessionError extends ElfError {
  readonly code = "session";
}

/** The border of each graph (export/FORMAT.md). The decoder's `logits` stay where they are: they are large. */
const BORDERS = {
  prefix: { inputs: ["t", "self_cond_scale"], outputs: ["prefix"] },
  denoiser: { inputs: ["z", "x_hat_prev", "prefix"], outputs: ["x_hat"] },
  decoder: { inputs: ["latent", "self_cond_scale"], outputs: ["top_tokens", "top_probabilities", "entropy"] },
  encoder: { inputs: ["input_ids", "attention_mask"], outputs: ["latent"] },
} as const satisfies Record<GraphName, { inputs: readonly string[]; outputs: readonly string[] }>;

export interface OpenNetworkOptions {
  readonly signal?: AbortSignal | undefined;
  /** The kernels to run by; plain ones where nothing is said. */
  readonly variant?: Variant;
  /** What every graph has to pass before it is used, the encoder when the first prompt comes. */
  readonly selfTest?: SelfTest | undefined;
  readonly onGraph?: (graph: string) => void;
  /** Told of each graph that is about to be tested. */
  readonly onCheck?: (graph: string) => void;
  /** Fetches what is needed late: the encoder, when the first prompt comes. */
  readonly fetchLate?: (graphs: readonly GraphName[]) => Promise<NetworkParts>;
}

/**
 * Creates the sessions of a model's graphs on `runtime`, which then belongs to the network and is released with it, or
 * at once on failure. `parts` are those of `NETWORK_GRAPHS`.
 * @throws {SessionError} the runtime refuses a graph, or a graph lacks an input or output of the format.
 * @throws {SelfTestError} a graph gives other numbers than it should.
 * @throws {DeviceLostError | OutOfMemoryError | CancelledError}
 */
export async function openNetwork(
  manifest: Manifest,
  parts: NetworkParts,
  runtime: Runtime,
  { signal, variant = "plain", selfTest, onGraph, onCheck, fetchLate }: OpenNetworkOptions = {},
): Promise<OrtNetwork> {
  const sessions: Sessions = {};
  try {
    for (const name of NETWORK_GRAPHS) {
      if (signal?.aborted) throw new CancelledError();
      onGraph?.(name);
      const session = await openGraph(name, variant, manifest, parts, runtime);
      sessions[name] = session;
      if (selfTest) onCheck?.(name);
      await selfTest?.check(name, session, runtime);
    }
  } catch (error) {
    for (const session of Object.values(sessions)) await runtime.releaseSession(session);
    runtime.release();
    throw error;
  }
  const late = fetchLate ?? giving(parts);
  const openEncoder = async () => {
    graphOf("encoder", manifest);
    const session = await openGraph("encoder", variant, manifest, await late(["encoder"]), runtime);
    try {
      await selfTest?.check("encoder", session, runtime);
      return session;
    } catch (error) {
      await runtime.releaseSession(session);
      throw error;
    }
  };
  return new OrtNetwork(manifest, runtime, sessions, openEncoder);
}

/** Apart from `openNetwork`, whose other functions would keep the weights as well: they share what they close over. */
function giving(parts: NetworkParts): () => Promise<NetworkParts> {
  return async () => parts;
}

type Sessions = Partial<Record<GraphName, InferenceSession>>;

async function openGraph(
  name: GraphName,
  variant: Variant,
  manifest: Manifest,
  { graphs, weights, dtype }: NetworkParts,
  runtime: Runtime,
): Promise<InferenceSession> {
  const file = graphPath(graphOf(name, manifest), variant, dtype);
  const externalData = weights
    .filter((virtual) => virtual.graphs.includes(name))
    .map(({ path, data }) => ({ path, data }));
  const graph = graphs.get(file);
  if (!graph) throw new Error(`${file} was not fetched before its session.`);
  const session = await named(`The ${name} graph cannot be opened on ${runtime.backend}`, () =>
    runtime.createSession(graph, externalData),
  );
  const { inputs, outputs } = BORDERS[name];
  const lacking = [
    ...inputs.filter((input) => !session.inputNames.includes(input) && isNeeded(input, manifest)),
    ...outputs.filter((output) => !session.outputNames.includes(output)),
  ];
  if (lacking.length === 0) return session;
  await runtime.releaseSession(session);
  throw new SessionError(`The ${name} graph lacks ${lacking.join(", ")}.`, "Export the model again with `elf export`.");
}

function graphOf(name: GraphName, manifest: Manifest) {
  const graph = manifest.graphs[name];
  if (graph) return graph;
  throw new ConditionError("This model has no encoder to read tokens with.", "Choose a conditional model.");
}

/** Networks without self-conditioning tokens have no use for the scale, and their graphs no input. */
function isNeeded(input: string, manifest: Manifest): boolean {
  return input !== "self_cond_scale" || manifest.architecture.selfCondCfgTokens > 0;
}

/** The network on onnxruntime: a session for each head, and one for the encoder once it is needed. */
export class OrtNetwork implements Network, Encoder {
  readonly latentSize: number;
  readonly takesSelfCondScale: boolean;
  readonly #prefixes: Prefixes;
  #opening: Promise<InferenceSession> | undefined;

  constructor(
    manifest: Manifest,
    readonly runtime: Runtime,
    private readonly sessions: Sessions,
    private readonly openEncoder: () => Promise<InferenceSession>,
  ) {
    this.latentSize = manifest.architecture.latentSize;
    this.takesSelfCondScale = manifest.architecture.selfCondCfgTokens > 0;
    this.#prefixes = new Prefixes(runtime.ort, (inputs) => this.run("prefix", inputs));
  }

  prepare(times: readonly number[], selfCondScale: number): Promise<void> {
    return this.#prefixes.prepare(times, selfCondScale);
  }

  async denoise({ z, previous, batch, t, selfCondScale }: DenoiseInput): Promise<Float32Array> {
    const shape = [batch, z.length / batch / this.latentSize, this.latentSize];
    const prefix = await this.#prefixes.at(t, selfCondScale);
    const outputs = await this.run("denoiser", {
      z: this.#floats(z, shape),
      x_hat_prev: this.#floats(previous, shape),
      prefix,
    });
    const prediction = outputs.x_hat?.data as Float32Array;
    // Some GPUs overflow without a word; every later pass would only spread it.
    if (!prediction.every(Number.isFinite)) throw overflowed(this.runtime.backend);
    return prediction;
  }

  async decode(latents: readonly Float32Array[], selfCondScale: number): Promise<Reading[]> {
    const count = latents[0]?.length ?? 0;
    const length = count / this.latentSize;
    const outputs = await this.run("decoder", {
      latent: this.#floats(joined(latents), [latents.length, length, this.latentSize]),
      self_cond_scale: this.#perRow(selfCondScale, latents.length),
    });
    return readingsOf(outputs, latents.length, length);
  }

  /** @throws {ConditionError} the model has no encoder; the first time also whatever opening its graph throws. */
  async encode(sources: readonly Source[]): Promise<Float32Array[]> {
    if (!this.sessions.encoder) {
      this.#opening ??= this.openEncoder().finally(() => {
        this.#opening = undefined;
      });
      this.sessions.encoder = await this.#opening;
    }
    const longest = Math.max(...sources.map(({ length }) => length));
    const shape = [sources.length, longest];
    const ids = new BigInt64Array(sources.length * longest);
    const mask = new BigInt64Array(sources.length * longest);
    for (const [row, source] of sources.entries()) {
      ids.set(
        source.map((id) => BigInt(id === HIDDEN ? 0 : id)),
        row * longest,
      );
      mask.set(
        source.map((id) => (id === HIDDEN ? 0n : 1n)),
        row * longest,
      );
    }
    const outputs = await this.run("encoder", {
      input_ids: new this.runtime.ort.Tensor("int64", ids, shape),
      attention_mask: new this.runtime.ort.Tensor("int64", mask, shape),
    });
    const latent = outputs.latent?.data as Float32Array;
    const width = longest * this.latentSize;
    return sources.map(({ length }, row) => latent.slice(row * width, row * width + length * this.latentSize));
  }

  /** Frees the sessions and the runtime's device. */
  async dispose(): Promise<void> {
    for (const session of Object.values(this.sessions)) await this.runtime.releaseSession(session);
    this.runtime.release();
  }

  /**
   * Runs a graph on tensors of the caller's, wherever they lie; inputs that it lacks are left out. Outputs that are not
   * given come to the CPU.
   * @throws {SessionError | DeviceLostError}
   */
  run(
    graph: GraphName,
    inputs: Record<string, Tensor>,
    outputs: Record<string, Tensor> | readonly string[] = BORDERS[graph].outputs,
  ): Promise<InferenceSession.ReturnType> {
    const session = this.sessions[graph] as InferenceSession;
    const known = Object.fromEntries(Object.entries(inputs).filter(([name]) => session.inputNames.includes(name)));
    return named(`The ${graph} failed on ${this.runtime.backend}`, () => this.runtime.run(session, known, outputs));
  }

  #perRow(value: number, rows: number): Tensor {
    return this.#floats(new Float32Array(rows).fill(value), [rows]);
  }

  #floats(data: Float32Array, shape: readonly number[]): Tensor {
    return new this.runtime.ort.Tensor("float32", data, shape);
  }
}

/** The network answered with a number that is infinite or none. */
export function overflowed(backend: Backend): SessionError {
  return new SessionError(
    `The network's numbers overflowed on ${backend}.`,
    backend === "webgpu"
      ? "Choose the wasm backend."
      : "Try another seed, or less self-cond CFG; if it happens again, the model is broken.",
  );
}

/** What the decoder's outputs say of `count` latents of `length` positions, in their order. */
export function readingsOf(outputs: InferenceSession.ReturnType, count: number, length: number): Reading[] {
  const topTokens = Int32Array.from(outputs.top_tokens?.data as BigInt64Array, Number);
  const topProbabilities = outputs.top_probabilities?.data as Float32Array;
  const entropy = outputs.entropy?.data as Float32Array;
  const k = topTokens.length / (count * length);
  return Array.from({ length: count }, (_, b) => {
    const top = topTokens.slice(b * length * k, (b + 1) * length * k);
    return {
      tokens: top.filter((_, i) => i % k === 0),
      entropy: entropy.slice(b * length, (b + 1) * length),
      topTokens: top,
      topProbabilities: topProbabilities.slice(b * length * k, (b + 1) * length * k),
    };
  });
}

/** Turns what the runtime throws (often bare strings or numbers) into an error that says what was being done. */
async function named<T>(deed: string, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (cause) {
    if (cause instanceof ElfError) throw cause;
    throw new SessionError(
      `${deed}: ${cause instanceof Error ? cause.message : String(cause)}`,
      "Choose the other backend, or load the model again; if it stays, export the model again.",
      { cause },
    );
  }
}
