import { type Remote, wrap } from "comlink";
import { forbiddenWorker } from "../delivery/policy";
import { Interruption } from "../runtime/interruption";
import { EngineCrashedError } from "./errors";
import { carryErrors } from "./namedErrors";
import { startWorker, WORKERS_ALLOWED } from "./startWorker";

interface Line<Api> {
  /** Held here for as long as the worker lives: Comlink closes it when its proxy is garbage-collected. */
  readonly remote: Remote<Api>;
  readonly broken: Interruption;
}

/** A worker beside the engine's. It starts with the first call, and another after one that crashed. */
export class SideWorker<Api> {
  #line: Line<Api> | undefined;

  /** `name` is how a person is told of it. */
  constructor(
    private readonly name: string,
    private readonly start: () => Worker,
  ) {
    carryErrors();
  }

  /** Asks the worker for something. @throws {EngineCrashedError} it has crashed, or may not be; and whatever it throws. */
  async call<T>(task: (remote: Remote<Api>) => Promise<T>): Promise<T> {
    this.#line ??= this.#open();
    return this.#line.broken.or(task(this.#line.remote));
  }

  #open(): Line<Api> {
    const worker = startWorker(this.start);
    const broken = new Interruption();
    worker.addEventListener("error", ({ message }) => {
      this.#line = undefined;
      worker.terminate();
      const why = message ? "" : forbiddenWorker();
      const what = message ? `: ${message}` : ` or could not be loaded${why && `: ${why}`}`;
      const action = why ? WORKERS_ALLOWED : "Try again, or reload the page.";
      broken.happen(new EngineCrashedError(`The ${this.name} crashed${what}.`, action));
    });
    return { remote: wrap<Api>(worker), broken };
  }
}
