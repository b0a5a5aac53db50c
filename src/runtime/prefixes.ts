import type { Tensor } from "onnxruntime-web";
import type { PerSample } from "../flow/network";
import { joined } from "../flow/rows";
import type { Graphs } from "./graphs";

/** What the denoiser is told of time and guidance, computed for all passes of a run at once. */
export class Prefixes {
  #known = new Map<string, Float32Array>();
  #shape: readonly number[] = [];

  constructor(private readonly graphs: Pick<Graphs, "prefixes" | "floats">) {}

  /** Computes those of a run's passes, and forgets those of the run before. */
  async prepare(times: readonly number[], selfCondScale: PerSample): Promise<void> {
    this.#known = await this.#compute(times.map((t, i) => ({ t, selfCondScale: numberAt(selfCondScale, i) })));
  }

  /**
   * The prefix of a pass, (1, P, H), or of its samples, (B, P, H), where they are at times of their own. Computed now where
   * no run was prepared that has such a pass.
   */
  async of(t: PerSample, selfCondScale: PerSample): Promise<Tensor> {
    const count = [t, selfCondScale].reduce<number>((most, each) => (typeof each === "number" ? most : each.length), 1);
    const asked = Array.from({ length: count }, (_, i) => ({
      t: numberAt(t, i),
      selfCondScale: numberAt(selfCondScale, i),
    }));
    const missing = await this.#compute(asked.filter((pass) => !this.#known.has(keyOf(pass))));
    const rows = asked.map((pass) => (this.#known.get(keyOf(pass)) ?? missing.get(keyOf(pass))) as Float32Array);
    return this.graphs.floats(rows.length === 1 ? (rows[0] as Float32Array) : joined(rows), [count, ...this.#shape]);
  }

  async #compute(passes: readonly Pass[]): Promise<Map<string, Float32Array>> {
    const computed = new Map<string, Float32Array>();
    const once = [...new Map(passes.map((pass) => [keyOf(pass), pass])).values()];
    if (once.length === 0) return computed;
    const { dims, data } = await this.graphs.prefixes(
      once.map(({ t }) => t),
      once.map(({ selfCondScale }) => selfCondScale),
    );
    this.#shape = dims.slice(1);
    const size = data.length / once.length;
    for (const [i, pass] of once.entries())
      computed.set(keyOf(pass), (data as Float32Array).subarray(i * size, (i + 1) * size));
    return computed;
  }
}

/** A pass, as far as its prefix depends on it. */
interface Pass {
  readonly t: number;
  readonly selfCondScale: number;
}

const keyOf = ({ t, selfCondScale }: Pass) => `${t} ${selfCondScale}`;
const numberAt = (values: PerSample, i: number) => (typeof values === "number" ? values : (values[i] as number));
