import { proxy } from "comlink";
import { startBundled } from "./elsewhere";
import type { LibraryApi } from "./libraryProtocol";
import { SideWorker } from "./sideWorker";

/** Makes a client of the library; its worker starts with the first call, and another after one that crashed. */
export function createLibrary(
  startWorker: () => Worker = () => startBundled(startLibraryWorker, "elf-library"),
): LibraryApi {
  const side = new SideWorker<LibraryApi>("library of models", startWorker);
  return {
    inventory: () => side.call((remote) => remote.inventory()),
    look: (address) => side.call((remote) => remote.look(address)),
    download: (address, dtype, onProgress) => side.call((remote) => remote.download(address, dtype, proxy(onProgress))),
    cancel: () => side.call((remote) => remote.cancel()),
    remove: (baseUrl) => side.call((remote) => remote.remove(baseUrl)),
  };
}

function startLibraryWorker(): Worker {
  return new Worker(new URL("./libraryWorker.ts", import.meta.url), { type: "module", name: "elf-library" });
}
