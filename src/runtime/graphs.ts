/**
 * A model's graphs, open on a runtime: which session is whose, what each takes and gives, and what a failure is called.
 * Two fronts stand before it: `arrayNetwork.ts` for the flow, and `gpu/network.ts` for the loop that stays on the GPU.
 */
import type { InferenceSession, Tensor } from "onnxruntime-web";
import { type GraphName, graphPath, NETWORK_GRAPHS, type NetworkParts, type Variant } from "../delivery/networkParts";
import { CancelledError, ConditionError, ElfError } from "../flow/errors";
import type { PerSample, Reading } from "../flow/network";
import type { Manifest } from "../format/manifest";
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

export interface OpenGraphsOptions {
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
 * Creates the sessions of a model's graphs on `runtime`, which then belongs to them and is released with them, or
 * at once on failure. `parts` are those of `NETWORK_GRAPHS`.
 * @throws {SessionError} the runtime refuses a graph, or a graph lacks an input or output of the format.
 * @throws {SelfTestError} a graph gives other numbers than it should.
 * @throws {DeviceLostError | OutOfMemoryError | CancelledError}
 */
export async function openGraphs(
  manifest: Manifest,
  parts: NetworkParts,
  runtime: Runtime,
  { signal, variant = "plain", selfTest, onGraph, onCheck, fetchLate }: OpenGraphsOptions = {},
): Promise<Graphs> {
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
  return new Graphs(manifest, runtime, sessions, openEncoder);
}

/** Apart from `openGraphs`, whose other functions would keep the weights as well: they share what they close over. */
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

/** The sessions of a model, by the names of their graphs: one for each head, and one for the encoder once it is needed. */
export class Graphs {
  /** D */
  readonly latentSize: number;
  readonly takesSelfCondScale: boolean;
  #opening: Promise<InferenceSession> | undefined;

  constructor(
    manifest: Manifest,
    readonly runtime: Runtime,
    private readonly sessions: Sessions,
    private readonly openEncoder: () => Promise<InferenceSession>,
  ) {
    this.latentSize = manifest.architecture.latentSize;
    this.takesSelfCondScale = manifest.architecture.selfCondCfgTokens > 0;
  }

  /**
   * Opens the encoder, unless it is open.
   * @throws {ConditionError} the model has none; and whatever opening its graph throws.
   */
  async requireEncoder(): Promise<void> {
    if (this.sessions.encoder) return;
    this.#opening ??= this.openEncoder().finally(() => {
      this.#opening = undefined;
    });
    this.sessions.encoder = await this.#opening;
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

  /** What the denoiser is told of time and scale, (N, P, H), for passes at N times; into `prefix`, where one is given. */
  async prefixes(times: readonly number[], selfCondScale: PerSample, prefix?: Tensor): Promise<Tensor> {
    const inputs = {
      t: this.floats(Float32Array.from(times), [times.length]),
      self_cond_scale: this.perRow(selfCondScale, times.length),
    };
    const outputs = await this.run("prefix", inputs, prefix && { prefix });
    return outputs.prefix as Tensor;
  }

  /** Reads `count` latents of `length` positions as tokens. */
  async readings(latent: Tensor, selfCondScale: Tensor, count: number, length: number): Promise<Reading[]> {
    return readingsOf(await this.run("decoder", { latent, self_cond_scale: selfCondScale }), count, length);
  }

  /** Whether the denoiser takes a prefix for each sample; models of earlier versions have one for the whole batch. */
  get mixesTimes(): boolean {
    return typeof this.#prefixDims()[0] === "string";
  }

  /**
   * P and H of a prefix (N, P, H), as the denoiser asks for it.
   * @throws {SessionError} its graph does not say.
   */
  prefixShape(): readonly [number, number] {
    const [, length, width] = this.#prefixDims();
    if (typeof length === "number" && typeof width === "number") return [length, width];
    throw new SessionError("The denoiser graph does not say how long a prefix is.", "Export the model again.");
  }

  #prefixDims(): readonly (number | string)[] {
    const input = this.sessions.denoiser?.inputMetadata.find(({ name }) => name === "prefix");
    return input?.isTensor ? input.shape : [];
  }

  floats(data: Float32Array, shape: readonly number[]): Tensor {
    return new this.runtime.ort.Tensor("float32", data, shape);
  }

  perRow(value: PerSample, rows: number): Tensor {
    const values = typeof value === "number" ? new Float32Array(rows).fill(value) : Float32Array.from(value);
    return this.floats(values, [rows]);
  }

  /** Frees the sessions and the runtime's device. */
  async dispose(): Promise<void> {
    for (const session of Object.values(this.sessions)) await this.runtime.releaseSession(session);
    this.runtime.release();
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
function readingsOf(outputs: InferenceSession.ReturnType, count: number, length: number): Reading[] {
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
export async function named<T>(
  deed: string,
  task: () => Promise<T>,
  action = "Choose the other backend, or load the model again; if it stays, export the model again.",
): Promise<T> {
  try {
    return await task();
  } catch (cause) {
    if (cause instanceof ElfError) throw cause;
    throw new SessionError(`${deed}: ${cause instanceof Error ? cause.message : String(cause)}`, action, { cause });
  }
}
