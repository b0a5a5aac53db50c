/** The library's worker: only there can files be written piece by piece. Started by `library.ts`. */
import { expose, type Remote } from "comlink";
import { Delivery } from "../delivery/delivery";
import { clearOrphans, inventory, lookAt, removeModel } from "../delivery/library";
import { watchPolicy } from "../delivery/policy";
import { fetchFor } from "../delivery/sources";
import type { DownloadProgress } from "../delivery/store/download";
import { openStorage } from "../delivery/store/storage";
import type { LibraryApi, ModelAddress } from "./libraryProtocol";
import { carryErrors } from "./namedErrors";
import { delivering } from "./reports";

watchPolicy();
const storage = openStorage();
let underWay = new AbortController();

async function optionsOf({ baseUrl, files }: ModelAddress) {
  return { baseUrl, fetchFile: fetchFor(baseUrl, files), storage: await storage };
}

carryErrors();
expose({
  inventory: async () => {
    await clearOrphans(await storage);
    return inventory(await storage);
  },
  look: async (address) => lookAt(await optionsOf(address), underWay.signal),
  download: (address, dtype, onProgress) =>
    delivering(onProgress as Remote<typeof onProgress>, async (report: (progress: DownloadProgress) => void) => {
      const { signal } = underWay;
      const delivery = await Delivery.open(await optionsOf(address), signal);
      await delivery.download(dtype, report, signal);
    }),
  cancel: async () => {
    underWay.abort();
    underWay = new AbortController();
  },
  remove: async (baseUrl) => removeModel(baseUrl, await storage),
} satisfies LibraryApi);
