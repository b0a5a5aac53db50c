import { proxy, type Remote, wrap } from "comlink";
import { forbiddenWorker } from "../delivery/policy";
import { Interruption } from "../runtime/interruption";
import { EngineCrashedError } from "./errors";
import type { LibraryApi } from "./libraryProtocol";
import { carryErrors } from "./namedErrors";
import { startWorker as startNamed, WORKERS_ALLOWED } from "./startWorker";

interface Line {
  /** Held here for as long as the worker lives: Comlink closes it when its proxy is garbage-collected. */
  readonly remote: Remote<LibraryApi>;
  readonly broken: Interruption;
}

/** Makes a client of the library; its worker starts with the first call, and another after one that crashed. */
export function createLibrary(startWorker: () => Worker = startLibraryWorker): LibraryApi {
  carryErrors();
  let line: Line | undefined;

  function open(): Line {
    const worker = startNamed(startWorker);
    const broken = new Interruption();
    worker.addEventListener("error", ({ message }) => {
      line = undefined;
      worker.terminate();
      const why = message ? "" : forbiddenWorker();
      const what = message ? `: ${message}` : ` or could not be loaded${why && `: ${why}`}`;
      const action = why ? WORKERS_ALLOWED : "Try again, or reload the page.";
      broken.happen(new EngineCrashedError(`The library of models crashed${what}.`, action));
    });
    return { remote: wrap<LibraryApi>(worker), broken };
  }

  async function call<T>(task: (remote: Remote<LibraryApi>) => Promise<T>): Promise<T> {
    line ??= open();
    return line.broken.or(task(line.remote));
  }

  return {
    inventory: () => call((remote) => remote.inventory()),
    look: (address) => call((remote) => remote.look(address)),
    download: (address, dtype, onProgress) => call((remote) => remote.download(address, dtype, proxy(onProgress))),
    cancel: () => call((remote) => remote.cancel()),
    remove: (baseUrl) => call((remote) => remote.remove(baseUrl)),
  };
}

function startLibraryWorker(): Worker {
  return new Worker(new URL("./libraryWorker.ts", import.meta.url), { type: "module", name: "elf-library" });
}
