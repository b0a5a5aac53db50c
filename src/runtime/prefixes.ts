import type { InferenceSession, Tensor } from "onnxruntime-web";
import type { OrtModule } from "./runtime";

/** Runs the prefix graph; inputs that it lacks are left out. */
export type RunPrefixGraph = (inputs: Record<string, Tensor>) => Promise<InferenceSession.ReturnType>;

/** What the denoiser is told of time and guidance, computed for all passes of a run at once. */
export class Prefixes {
  #known = new Map<string, Tensor>();

  constructor(
    private readonly ort: Pick<OrtModule, "Tensor">,
    private readonly run: RunPrefixGraph,
  ) {}

  /** Computes those of a run's passes, and forgets those of the run before. */
  async prepare(times: readonly number[], selfCondScale: number): Promise<void> {
    this.#known = await this.#compute(times, selfCondScale);
  }

  /** The prefix (1, P, H) of a pass; computed now where no run was prepared that has such a pass. */
  async at(t: number, selfCondScale: number): Promise<Tensor> {
    const wanted = keyOf(t, selfCondScale);
    return (this.#known.get(wanted) ?? (await this.#compute([t], selfCondScale)).get(wanted)) as Tensor;
  }

  async #compute(times: readonly number[], selfCondScale: number): Promise<Map<string, Tensor>> {
    const computed = new Map<string, Tensor>();
    if (times.length === 0) return computed;
    const { Tensor } = this.ort;
    const { prefix } = await this.run({
      t: new Tensor("float32", Float32Array.from(times), [times.length]),
      self_cond_scale: new Tensor("float32", new Float32Array(times.length).fill(selfCondScale), [times.length]),
    });
    const [, length = 0, width = 0] = prefix?.dims ?? [];
    const size = length * width;
    for (const [i, t] of times.entries()) {
      const row = (prefix?.data as Float32Array).subarray(i * size, (i + 1) * size);
      computed.set(keyOf(t, selfCondScale), new Tensor("float32", row, [1, length, width]));
    }
    return computed;
  }
}

const keyOf = (t: number, selfCondScale: number) => `${t} ${selfCondScale}`;
