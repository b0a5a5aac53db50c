import type { Handle } from "./protocol";

/** The requests under way in the worker, by their handles: what stands here for the signals of the page. */
export class Requests {
  readonly #open = new Map<Handle, AbortController>();

  /** Does something that `cancel` can end, for as long as it has not ended. */
  async handle<T>(handle: Handle, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController();
    this.#open.set(handle, abort);
    try {
      return await task(abort.signal);
    } finally {
      this.#open.delete(handle);
    }
  }

  /** Aborts the signal of a request; one that has ended knows nothing of it. */
  cancel(handle: Handle): void {
    this.#open.get(handle)?.abort();
  }
}
