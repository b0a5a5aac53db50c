import type { FlowState } from "./sampler";

/** The states of one run, in a bounded memory. */
export class StateStore {
  // A state of n = B · L · D numbers takes 8n bytes (z and x̂; 12n where the solver needs the x̂ before). As memory fills up
  // ever fewer are kept, of all of them every second, every fourth, … The first and the newest always stay, so any state can
  // be had again bit for bit by a fork from the one before it (`keptBefore`).
  /** By their step. */
  readonly #kept = new Map<number, FlowState>();
  #newest: number | undefined;
  #first: number | undefined;
  /** States at multiples of this step are kept. */
  #every = 1;
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
    this.#kept.set(state.step, state);
    this.#bytes += bytesOf(state);
    if (before !== undefined) this.#thin(before);
    while (this.#bytes > this.limitBytes && this.#every <= state.step) {
      this.#every *= 2;
      for (const step of [...this.#kept.keys()]) this.#thin(step);
    }
  }

  /** The latest state up to `step` that is kept; undefined before the first. */
  keptBefore(step: number): FlowState | undefined {
    for (let earlier = step; earlier >= 0; earlier--) {
      const kept = this.#kept.get(earlier);
      if (kept) return kept;
    }
    return undefined;
  }

  #thin(step: number): void {
    const kept = this.#kept.get(step);
    if (!kept || step === this.#first || step === this.#newest || step % this.#every === 0) return;
    this.#kept.delete(step);
    this.#bytes -= bytesOf(kept);
  }
}

function bytesOf({ z, prediction, older }: FlowState): number {
  return z.byteLength + prediction.byteLength + (older?.prediction.byteLength ?? 0);
}
