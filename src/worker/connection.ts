import { type Remote, wrap } from "comlink";
import { forbiddenWorker } from "../delivery/policy";
import { Interruption } from "../runtime/interruption";
import { DeviceLostError } from "../runtime/runtime";
import { EngineCrashedError } from "./errors";
import type { WorkerApi } from "./protocol";
import { WORKERS_ALLOWED } from "./startWorker";

/** How long the calls of a worker whose GPU is lost may take to end by themselves, with their last frames. */
const FAREWELL_MILLISECONDS = 1000;

/** A running worker and the calls that wait for it. */
export class Connection {
  /** Held here for as long as the worker lives: Comlink closes it when its proxy is garbage-collected. */
  readonly #remote: Remote<WorkerApi>;
  readonly #calls = new Set<Promise<unknown>>();
  readonly #end = new Interruption();
  readonly #ended = new AbortController();

  /** `onEnd` is told once why the worker will never answer again, before the calls that wait for it. */
  constructor(
    private readonly worker: Worker,
    locks: LockManager | undefined,
    private readonly onEnd: (reason: Error) => void,
  ) {
    this.#remote = wrap<WorkerApi>(worker);
    worker.addEventListener("error", ({ message }) => {
      this.end(message ? crashed(`: ${message}`) : notLoaded());
    });
    if (locks) this.#watchLock(locks).catch(() => {});
  }

  /** Asks the worker for something. Rejects with what it throws, or with the reason of its end. */
  async call<T>(task: (remote: Remote<WorkerApi>) => Promise<T>): Promise<T> {
    const answer = task(this.#remote);
    this.#calls.add(answer);
    const done = () => this.#calls.delete(answer);
    answer.then(done, done);
    return this.#end.or(answer);
  }

  /** Waits till these calls have ended, however; ends it if that takes longer than `milliseconds`. */
  async settle(calls: Iterable<Promise<unknown>>, milliseconds: number, reason: () => Error): Promise<void> {
    const rest = Symbol();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, milliseconds, rest);
    });
    const first = await Promise.race([Promise.allSettled(calls), patience]);
    clearTimeout(timer);
    if (first === rest) this.end(reason());
  }

  /** Ends it when the GPU of the model that is loaded now is lost. */
  watchGpu(): void {
    this.#remote.watch().catch(async (error) => {
      if (!(error instanceof DeviceLostError)) return;
      await this.settle(this.#calls, FAREWELL_MILLISECONDS, () => error);
      this.end(error);
    });
  }

  /** Ends the worker at once. */
  end(reason: Error): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    this.worker.terminate();
    this.onEnd(reason);
    this.#end.happen(reason);
  }

  /** No event tells of a worker that closed itself or was killed, but a lock that it held falls free. */
  async #watchLock(locks: LockManager): Promise<void> {
    const name = `elf-engine ${Math.random().toString(36).slice(2)}`;
    if (!(await this.#remote.hold(name))) return;
    await locks.request(name, { signal: this.#ended.signal }, () => this.end(crashed(" without a word")));
  }
}

function notLoaded(): EngineCrashedError {
  const why = forbiddenWorker();
  if (!why) return crashed(" or could not be loaded");
  return new EngineCrashedError(`The engine could not be loaded: ${why}.`, WORKERS_ALLOWED);
}

function crashed(how: string): EngineCrashedError {
  return new EngineCrashedError(`The engine crashed${how}.`, "Load the model again, or reload the page.");
}
