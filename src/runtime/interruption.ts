import { CancelledError } from "../flow/errors";

/**
 * Something that may happen once and ends all waiting: the loss of a device, the end of a worker. In place of
 * `Promise.race` with a promise that stays pending, which would keep every result that it ever raced with.
 */
export class Interruption {
  readonly #waiting = new Set<(reason: unknown) => void>();
  #happened: { readonly reason: unknown } | undefined;

  /** Ends what waits now, and all that will wait, with this reason. */
  happen(reason: unknown): void {
    this.#happened ??= { reason };
    for (const reject of this.#waiting) reject(reason);
    this.#waiting.clear();
  }

  /** Settles as `task` does, unless the interruption comes first: then it rejects with its reason. */
  or<T>(task: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#happened) {
        // What the task still comes to is nobody's business.
        task.catch(() => {});
        reject(this.#happened.reason);
        return;
      }
      this.#waiting.add(reject);
      const done = () => this.#waiting.delete(reject);
      task.then(resolve, reject).finally(done);
    });
  }
}

/**
 * Waits for `task`, which goes on by itself where nobody waits for it any more.
 * @throws {CancelledError} the signal is aborted before `task` has ended. @throws whatever `task` throws.
 */
export async function unlessAborted(signal: AbortSignal | undefined, task: Promise<unknown>): Promise<void> {
  const end = new Interruption();
  const abort = () => end.happen(new CancelledError());
  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort, { once: true });
  try {
    await end.or(task);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
