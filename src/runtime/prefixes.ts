import type { Tensor } from "onnxruntime-web";
import type { Graphs } from "./graphs";

/** What the denoiser is told of time and guidance, computed for all passes of a run at once. */
export class Prefixes {
  #known = new Map<string, Tensor>();

  constructor(private readonly graphs: Pick<Graphs, "prefixes" | "floats">) {}

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
    const { dims, data } = await this.graphs.prefixes(times, selfCondScale);
    const [, length = 0, width = 0] = dims;
    const size = length * width;
    for (const [i, t] of times.entries()) {
      const row = (data as Float32Array).subarray(i * size, (i + 1) * size);
      computed.set(keyOf(t, selfCondScale), this.graphs.floats(row, [1, length, width]));
    }
    return computed;
  }
}

const keyOf = (t: number, selfCondScale: number) => `${t} ${selfCondScale}`;
