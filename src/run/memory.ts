import type { Fixed } from "../flow/clamp";
import type { FlowState } from "../flow/sampler";
import { StateStore } from "../flow/stateStore";

/** Bytes that the states of all remembered runs may take. */
const MOST_BYTES = 128 * 2 ** 20;

/**
 * States of the newest runs, by their recipes' keys, so that a fork need not write its parent again. One run takes half of
 * the memory at most (`StateStore`), and as more is needed the runs are forgotten whose last use lies longest ago. What was
 * forgotten can be had again from the recipe, bit for bit.
 */
export class RunMemory {
  /** Least recently used first. */
  readonly #runs = new Map<string, RememberedRun>();

  constructor(readonly mostBytes = MOST_BYTES) {}

  /** Bytes of all states. */
  get bytes(): number {
    let bytes = 0;
    for (const run of this.#runs.values()) bytes += run.states.bytes;
    return bytes;
  }

  /** What is left of a run; undefined if nothing is. */
  recall(key: string): RememberedRun | undefined {
    const run = this.#runs.get(key);
    if (!run) return undefined;
    this.#runs.delete(key);
    this.#runs.set(key, run);
    return run;
  }

  /** A run to add states to; what is remembered of it already stays. */
  begin(key: string, fixed: readonly Fixed[]): RememberedRun {
    const known = this.recall(key);
    if (known) return known;
    const run = new RememberedRun(fixed, new StateStore(this.mostBytes / 2), () => this.#makeRoom(run));
    this.#runs.set(key, run);
    return run;
  }

  /** Forgets everything: the model is another one. */
  clear(): void {
    this.#runs.clear();
  }

  #makeRoom(current: RememberedRun): void {
    for (const [key, run] of this.#runs) {
      if (this.bytes <= this.mostBytes) return;
      if (run !== current) this.#runs.delete(key);
    }
  }
}

export class RememberedRun {
  #newest = -1;

  constructor(
    /** What the run holds its positions to. */
    readonly fixed: readonly Fixed[],
    readonly states: StateStore,
    private readonly onGrown: () => void,
  ) {}

  /** Adds a state, unless the run has been as far before. */
  add(state: FlowState): void {
    if (state.step <= this.#newest) return;
    this.#newest = state.step;
    this.states.add(state);
    this.onGrown();
  }
}
