/**
 * Who may use the one engine of a page, and when: first come, first served across all elements, and within one the newest
 * request ends the one before. The engine keeps the model of the last one; another is loaded between two turns only.
 */
import { CancelledError } from "../flow/errors";
import type { LoadedModel, LoadProgress, LoadRequest } from "../run/api";
import type { EngineClient } from "../worker/protocol";

export type SharedEngine = Pick<EngineClient, "load" | "restore" | "generate" | "paths" | "onLost" | "terminate">;

/** What somebody wants the engine for. */
export interface Turn<T> {
  readonly model: LoadRequest;
  readonly signal: AbortSignal;
  /** Told how many are to be served before, whenever that changes; 0 when the turn has come. */
  onAhead(count: number): void;
  onProgress(progress: LoadProgress): void;
  /** What is done in the turn; it ends when this settles. */
  task(loaded: LoadedModel, engine: SharedEngine, signal: AbortSignal): Promise<T>;
}

interface Ticket {
  readonly owner: object;
  readonly abort: AbortController;
  onAhead(count: number): void;
  /** Does it, and settles the promise of whoever asked. */
  serve(): Promise<void>;
}

/** How long the engine outlives the last element that used it, in milliseconds: frameworks take elements out and in again. */
const PATIENCE = 5_000;

export class Broker {
  readonly #waiting: Ticket[] = [];
  #served: Ticket | undefined;
  /** What was loaded last; without its model where that was lost. */
  #loaded: { readonly key: string; readonly model: LoadedModel | undefined } | undefined;
  readonly #users = new Set<object>();
  #farewell: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly engine: SharedEngine,
    private readonly patience = PATIENCE,
  ) {
    engine.onLost(() => {
      if (this.#loaded) this.#loaded = { ...this.#loaded, model: undefined };
    });
  }

  /** `owner` may use the engine again: it does not go while it is here. */
  enter(owner: object): void {
    this.#users.add(owner);
    clearTimeout(this.#farewell);
  }

  /**
   * Waits for the turn of `owner`, has the model loaded, and does the task.
   * @throws {CancelledError} its signal was aborted, or the owner asked for something newer, before its turn came; and
   *   whatever the load and the task throw.
   */
  use<T>(owner: object, turn: Turn<T>): Promise<T> {
    // Whoever has gone meanwhile does not enter again: nobody would release it.
    if (turn.signal.aborted) return Promise.reject(new CancelledError());
    this.enter(owner);
    return new Promise<T>((resolve, reject) => {
      const abort = new AbortController();
      const signal = AbortSignal.any([abort.signal, turn.signal]);
      const ticket: Ticket = {
        owner,
        abort,
        onAhead: turn.onAhead,
        serve: async () => {
          try {
            const loaded = await this.#load(turn.model, turn.onProgress, signal);
            resolve(await turn.task(loaded, this.engine, signal));
          } catch (error) {
            reject(error);
          }
        },
      };
      signal.addEventListener("abort", () => {
        // What is being served ends by itself, with what it has.
        if (this.#served === ticket) return;
        this.#leave(ticket);
        reject(new CancelledError());
      });
      this.#queue(ticket);
      void this.#next();
    });
  }

  /** `owner` has gone; with the last one the engine goes, too. */
  release(owner: object): void {
    this.#users.delete(owner);
    if (this.#users.size > 0) return;
    clearTimeout(this.#farewell);
    this.#farewell = setTimeout(() => {
      this.#loaded = undefined;
      this.engine.terminate();
    }, this.patience);
  }

  /** In the place of the owner's older request, if that still waits; else behind all others. */
  #queue(ticket: Ticket): void {
    const older = this.#waiting.findIndex(({ owner }) => owner === ticket.owner);
    if (older < 0) this.#waiting.push(ticket);
    else {
      const [before] = this.#waiting.splice(older, 1, ticket);
      before?.abort.abort();
    }
    if (this.#served?.owner === ticket.owner) this.#served.abort.abort();
  }

  #leave(ticket: Ticket): void {
    const at = this.#waiting.indexOf(ticket);
    if (at >= 0) this.#waiting.splice(at, 1);
    this.#tellAll();
  }

  async #next(): Promise<void> {
    this.#tellAll();
    if (this.#served) return;
    this.#served = this.#waiting.shift();
    if (!this.#served) return;
    this.#tellAll();
    this.#served.onAhead(0);
    await this.#served.serve();
    this.#served = undefined;
    void this.#next();
  }

  #tellAll(): void {
    const before = this.#served ? 1 : 0;
    for (const [place, ticket] of this.#waiting.entries()) ticket.onAhead(place + before);
  }

  async #load(
    request: LoadRequest,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal,
  ): Promise<LoadedModel> {
    const key = JSON.stringify([request.baseUrl, request.dtype, request.backend]);
    const isKnown = this.#loaded?.key === key;
    if (isKnown && this.#loaded?.model) return this.#loaded.model;
    if (!isKnown) this.#loaded = undefined;
    // Restored and not loaded anew: so the engine counts how often a GPU is lost, and gives up on it in the end.
    const model = await (isKnown
      ? this.engine.restore(onProgress, signal)
      : this.engine.load(request, onProgress, signal));
    this.#loaded = { key, model };
    return model;
  }
}
