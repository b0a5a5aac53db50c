/** What the build has of the page, as the worker that keeps it is told. Paths are relative to the page's folder; the page itself is "". */
export interface OfflineList {
  /** Changes with every file of `shell`. */
  readonly version: string;
  /** Kept whole, before anybody asks: without one of these the page does not open. */
  readonly shell: readonly string[];
  /** Kept once they were used: the runtime, of which each browser takes one, and letters of other scripts. */
  readonly later: readonly string[];
  /** The names of the models, and the judges: asked for anew, and answered from what came last where nobody answers. */
  readonly fresh: readonly string[];
}

/** How a request is answered: from what is kept, by the network and else from what it said last, or as if there were no worker. */
export type Way = { readonly way: "kept" | "later" | "fresh"; readonly path: string } | { readonly way: "network" };

/** What of a request decides; `Request` has it. */
export interface Asked {
  readonly url: string;
  readonly method: string;
  readonly mode: string;
  /** Whether it asks for a part of a file. */
  readonly isRange: boolean;
}

/** A file with its contents in its name, as builds write them, whichever version it is of. */
const NAMED = /^assets\/[\w.-]+$/;

/**
 * How to answer. `scope` is the address of the page's folder, ending in `/`. Models are the delivery's own to keep, so are
 * files in parts: neither is touched, nor is anything of another folder or host.
 */
export function wayOf({ url, method, mode, isRange }: Asked, scope: string, list: OfflineList): Way {
  const address = new URL(url);
  const folder = new URL(scope);
  if (method !== "GET" || isRange || address.origin !== folder.origin) return { way: "network" };
  if (!address.pathname.startsWith(folder.pathname)) return { way: "network" };
  const path = decoded(address.pathname.slice(folder.pathname.length));
  // What stands behind the page's address (`?model=…`) is for the page, which is the same.
  if (mode === "navigate") return path === "" || path === "index.html" ? { way: "kept", path: "" } : { way: "network" };
  if (address.search !== "") return { way: "network" };
  if (path !== "" && list.shell.includes(path)) return { way: "kept", path };
  if (list.later.includes(path)) return { way: "later", path };
  // A part of the version before, which a tab may still show after another tab took this one: the host has only the newest.
  if (NAMED.test(path)) return { way: "kept", path };
  return list.fresh.includes(path) ? { way: "fresh", path } : { way: "network" };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The name of what is kept of a version: several pages may lie on one host, each in its folder. */
export function cacheName(scope: string, version: string): string {
  return `${cachePrefix(scope)}${version}`;
}

export function cachePrefix(scope: string): string {
  return `elf-page ${scope} `;
}

/** Said to the worker that waits: the person wants the newer page. */
export const TAKE_OVER = "elf: take over";
/** Said to the worker that answers: what this visit has used of `later` is to be kept. */
export const KEEP_USED = "elf: keep what was used";
