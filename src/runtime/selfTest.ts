/**
 * The test that a model brings along: inputs and outputs of each of its graphs, computed where it was exported. A device
 * that gives other numbers computes wrongly; some GPUs do, without a word, with one kernel and not with another.
 */
import type { InferenceSession, OnnxValue } from "onnxruntime-web";
import { ElfError } from "../flow/errors";
import { parseSafetensors, SafetensorsError, type TensorData } from "../format/safetensors";
import type { Runtime } from "./runtime";

/** A device or browser computes a graph wrongly. */
export class SelfTestError extends ElfError {
  readonly code = "self-test";
}

/** How far an output may be off, as a share of the greatest of its numbers. Kernels round differently by about 10⁻⁵. */
export const GREATEST_ERROR = 2e-3;
/** Two tokens whose probabilities are this close may change places. */
const TIE = 0.01;

/** The stored inputs and outputs of one graph. */
interface Example {
  readonly inputs: ReadonlyMap<string, TensorData>;
  readonly outputs: ReadonlyMap<string, TensorData>;
}

/** What `SelfTest` needs of a session. */
export type TestedSession = Pick<InferenceSession, "inputNames" | "outputNames">;

export class SelfTest {
  readonly #tensors: ReadonlyMap<string, TensorData>;

  /**
   * Reads a self-test file (export/FORMAT.md): its tensors are called `graph.name`, after the graph's inputs and outputs.
   * @throws {SafetensorsError}
   */
  constructor(file: Uint8Array) {
    this.#tensors = parseSafetensors(file);
  }

  /**
   * Runs a graph on its stored inputs and compares. A graph that nothing is stored of passes.
   * @throws {SelfTestError} naming the worst output and how far it is off.
   * @throws {SafetensorsError} the file does not fit the graph; and whatever a run throws.
   */
  async check(graph: string, session: InferenceSession, runtime: Runtime): Promise<void> {
    const { inputs, outputs } = this.#exampleOf(graph, session);
    if (outputs.size === 0) return;
    const feeds = Object.fromEntries(
      Array.from(inputs, ([name, { data, shape }]) => [
        name,
        data instanceof Float32Array
          ? new runtime.ort.Tensor("float32", data, shape)
          : new runtime.ort.Tensor("int64", data, shape),
      ]),
    );
    const answers = await runtime.run(session, feeds, [...outputs.keys()]);
    const faults = Array.from(outputs, ([name, stored]) => faultOf(name, answers[name], stored, outputs));
    const worst = faults.reduce((a, b) => (b.error > a.error ? b : a));
    if (worst.error <= GREATEST_ERROR) return;
    throw new SelfTestError(
      `The ${graph} computes wrong numbers on ${runtime.backend}: ${worst.text}.`,
      runtime.backend === "webgpu"
        ? "Choose the wasm backend, or update the browser and the GPU's driver."
        : "Load the model again; if it stays, update the browser or export the model again.",
    );
  }

  #exampleOf(graph: string, session: TestedSession): Example {
    const stored = (names: readonly string[]) =>
      new Map(
        names.flatMap((name) => {
          const tensor = this.#tensors.get(`${graph}.${name}`);
          return tensor ? [[name, tensor] as const] : [];
        }),
      );
    const example = { inputs: stored(session.inputNames), outputs: stored(session.outputNames) };
    if (example.outputs.size === 0 || example.inputs.size === session.inputNames.length) return example;
    const lacking = session.inputNames.filter((name) => !example.inputs.has(name));
    throw new SafetensorsError(
      `The model's self-test lacks ${lacking.map((name) => `${graph}.${name}`).join(", ")}.`,
      "Export the model again with `elf export`.",
    );
  }
}

interface Fault {
  /** Compared with `GREATEST_ERROR`; infinite for what is no question of rounding. */
  readonly error: number;
  readonly text: string;
}

function faultOf(
  name: string,
  answer: OnnxValue | undefined,
  stored: TensorData,
  outputs: ReadonlyMap<string, TensorData>,
): Fault {
  if (stored.data instanceof BigInt64Array) {
    const wrong = wrongTokens(
      answer?.data as BigInt64Array,
      stored.data,
      stored.shape,
      outputs.get("top_probabilities"),
    );
    return { error: wrong > 0 ? Number.POSITIVE_INFINITY : 0, text: `${wrong} of its ${name} are others` };
  }
  const error = relativeError(answer?.data as Float32Array, stored.data);
  return {
    error,
    text: `${name} is off by ${error.toPrecision(2)} of its greatest number; ${GREATEST_ERROR} is allowed`,
  };
}

/** max |a − b| / max |b|; infinite where a number is none or one is missing. */
export function relativeError(a: Float32Array | undefined, b: Float32Array): number {
  if (a?.length !== b.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let greatest = 0;
  for (const [i, value] of b.entries()) {
    const off = Math.abs((a[i] as number) - value);
    // Every comparison with NaN is false, so it would pass as no difference.
    if (!(off <= difference)) difference = Number.isNaN(off) ? Number.POSITIVE_INFINITY : off;
    greatest = Math.max(greatest, Math.abs(value));
  }
  return difference === 0 ? 0 : difference / greatest;
}

/** Positions at which the best token is another one, but for those where the best two are as good as each other. */
export function wrongTokens(
  a: BigInt64Array | undefined,
  b: BigInt64Array,
  shape: readonly number[],
  probabilities: TensorData | undefined,
): number {
  const k = shape.at(-1) ?? 1;
  let wrong = 0;
  for (let i = 0; i < b.length; i += k) {
    const margin = k < 2 ? 1 : Number(probabilities?.data[i] ?? 1) - Number(probabilities?.data[i + 1] ?? 0);
    if (a?.[i] !== b[i] && margin >= TIE) wrong++;
  }
  return wrong;
}
