/** One thing at a time, first come, first served. */
import { unlessAborted } from "../runtime/interruption";

/** Something that was asked for and has not ended yet. */
interface Turn {
  readonly kind: string;
  readonly abort: AbortController;
  /** Settles when it and all before it have ended, however. */
  readonly over: Promise<unknown>;
}

/** Takes tasks in turn. Each is ended by its own signal; one that still waits is not kept waiting for that. */
export class Turns {
  /** The one under way and those behind it, oldest first. */
  #turns: readonly Turn[] = [];

  /** Whether a task of this kind is under way or waiting. */
  has(kind: string): boolean {
    return this.#turns.some((turn) => turn.kind === kind);
  }

  /**
   * Begins a task when all before it have ended, or at once where it is ended while it waits: with an aborted signal it is
   * to answer without doing anything.
   */
  take<T>(kind: string, signal: AbortSignal | undefined, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController();
    const end = () => abort.abort();
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end, { once: true });
    const before = this.#turns.at(-1)?.over ?? Promise.resolve();
    // Whether the wait ended or was cut short, the task has the signal and answers.
    const wait = unlessAborted(abort.signal, before).catch(() => {});
    const answer = wait.then(() => task(abort.signal));
    const over = Promise.allSettled([before, answer]).then(() => {
      signal?.removeEventListener("abort", end);
      this.#turns = this.#turns.filter((turn) => turn.abort !== abort);
    });
    this.#turns = [...this.#turns, { kind, abort, over }];
    return answer;
  }

  /** Ends all that are under way or waiting. */
  endAll(): void {
    for (const { abort } of this.#turns) abort.abort();
  }
}
