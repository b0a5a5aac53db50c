/** How a worker is started whose script comes from another host than its page, or whose page stands in a sandbox. */
import { addressIn, trusted } from "./trust";

/** Starts a worker that is written as bundlers know it, `() => new Worker(new URL(…))`. */
export function startBundled(start: () => Worker, name: string): Worker {
  return startModule(addressIn(start), name);
}

/**
 * Starts the module at `address` as a worker. Browsers start workers from the page's own origin only; for one that lies
 * elsewhere, as on a CDN, a line of script imports it, which needs `worker-src blob:` or a worker's address of the page's own.
 */
export function startModule(address: string, name: string): Worker {
  const { href, origin } = new URL(address, document.baseURI);
  // Not that of the address: a page in a sandbox has none of its own.
  if (origin === globalThis.origin) return new Worker(trusted(href), { type: "module", name });
  const line = `import ${JSON.stringify(href)};`;
  // A page in a sandbox can fetch no module by blob:.
  if (globalThis.origin === "null") {
    return new Worker(trusted(`data:text/javascript,${encodeURIComponent(line)}`), { type: "module", name });
  }
  const url = URL.createObjectURL(new Blob([line], { type: "text/javascript" }));
  const worker = new Worker(trusted(url), { type: "module", name });
  // It has been fetched by the time that the worker says anything, or that it fails.
  const forget = () => URL.revokeObjectURL(url);
  worker.addEventListener("message", forget, { once: true });
  worker.addEventListener("error", forget, { once: true });
  return worker;
}
