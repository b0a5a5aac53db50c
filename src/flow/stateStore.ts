import { fromHalf, toHalf } from "./half";
import type { FlowState } from "./sampler";

/**
 * The states of one run, in a bounded memory. A state of n = B · L · D numbers takes 8n bytes as it is (z and x̂; 12n
 * where the solver needs the x̂ before), and 4n in halves, which are good enough to read tokens from. As memory fills up, ever fewer states are kept as they are, from
 * all of them to every eighth, and then fewer are kept at all. The first and the newest always stay as they are, so any
 * state can be had again bit for bit by a fork from the one before it (`exactBefore`).
 */
export class StateStore {
  /** By their step. */
  readonly #kept = new Map<number, Kept>();
  #newest: number | undefined;
  #first: number | undefined;
  /** States at multiples of this step are kept as they are. */
  #exactEvery = 1;
  /** States at multiples of this step are kept. */
  #keptEvery = 1;
  #bytes = 0;

  /** `limitBytes` is heeded as far as the first and the newest state, which take twice that, leave a choice. */
  constructor(readonly limitBytes = 64 * 2 ** 20) {}

  /** Bytes that the arrays take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the state after the newest one. */
  add(state: FlowState): void {
    const before = this.#newest;
    this.#first ??= state.step;
    this.#newest = state.step;
    this.#put(state.step, state);
    if (before !== undefined) this.#thin(before);
    while (this.#bytes > this.limitBytes && this.#keptEvery <= state.step) {
      if (this.#exactEvery < FEWEST_EXACT * this.#keptEvery) this.#exactEvery *= 2;
      else this.#keptEvery *= 2;
      for (const step of [...this.#kept.keys()]) this.#thin(step);
    }
  }

  /** The state of a step, good enough to be shown; undefined where it is not kept. */
  shown(step: number): FlowState | undefined {
    const kept = this.#kept.get(step);
    return kept && isHalved(kept) ? { ...kept, z: fromHalf(kept.z), prediction: fromHalf(kept.prediction) } : kept;
  }

  /** The latest state up to `step` that is kept as it was; undefined before the first. */
  exactBefore(step: number): FlowState | undefined {
    for (let earlier = step; earlier >= 0; earlier--) {
      const kept = this.#kept.get(earlier);
      if (kept && !isHalved(kept)) return kept;
    }
    return undefined;
  }

  #thin(step: number): void {
    const kept = this.#kept.get(step);
    if (!kept || step === this.#first || step === this.#newest) return;
    if (step % this.#keptEvery !== 0) this.#put(step, undefined);
    else if (step % this.#exactEvery !== 0 && !isHalved(kept)) {
      this.#put(step, { ...kept, z: toHalf(kept.z), prediction: toHalf(kept.prediction), older: undefined });
    }
  }

  #put(step: number, kept: Kept | undefined): void {
    this.#bytes += bytesOf(kept) - bytesOf(this.#kept.get(step));
    if (kept) this.#kept.set(step, kept);
    else this.#kept.delete(step);
  }
}

/** One of so many kept states is kept as it was, at least. */
const FEWEST_EXACT = 8;

type Halved = Omit<FlowState, "z" | "prediction"> & { readonly z: Uint16Array; readonly prediction: Uint16Array };
type Kept = FlowState | Halved;

function isHalved(kept: Kept): kept is Halved {
  return kept.z instanceof Uint16Array;
}

function bytesOf(kept: Kept | undefined): number {
  return kept ? kept.z.byteLength + kept.prediction.byteLength + (kept.older?.prediction.byteLength ?? 0) : 0;
}
