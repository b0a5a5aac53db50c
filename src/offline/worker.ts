/**
 * Keeps the page, so that it opens without a network: the build writes this file as `offline.js` beside `index.html` and puts
 * the list of its own files in. A newer version waits until a person takes it, and what a tab has open goes on as it was.
 */
import { cacheName, cachePrefix, KEEP_USED, type OfflineList, TAKE_OVER, type Way, wayOf } from "./list";

declare const __OFFLINE_LIST__: OfflineList;

/** What is used of a service worker's world, of which the types of a page know nothing. */
interface Lasting extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Asking extends Lasting {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Saying extends Lasting {
  readonly data: unknown;
}
interface World {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Lasting) => void): void;
  addEventListener(type: "message", listener: (event: Saying) => void): void;
  addEventListener(type: "fetch", listener: (event: Asking) => void): void;
}

const world = globalThis as unknown as World;
const list = __OFFLINE_LIST__;
const { scope } = world.registration;
const name = cacheName(scope, list.version);
/** Lies in what is kept of the version that answers, and of no other; the page has no file of that name. */
const IN_CHARGE = addressOf("in-charge");

world.addEventListener("install", (event) => event.waitUntil(keepShell()));
world.addEventListener("activate", (event) => event.waitUntil(begin()));
world.addEventListener("message", (event) => {
  if (event.data === TAKE_OVER) event.waitUntil(world.skipWaiting());
  if (event.data === KEEP_USED) event.waitUntil(keepUsed());
});
world.addEventListener("fetch", (event) => {
  const { request } = event;
  const { url, method, mode } = request;
  const way = wayOf({ url, method, mode, isRange: request.headers.has("range") }, scope, list);
  if (way.way !== "network") event.respondWith(answer(request, way, (work) => event.waitUntil(work)));
});

/** All of the page or none of it: with a file missing the worker is not installed, and the next visit tries again. */
async function keepShell(): Promise<void> {
  const cache = await caches.open(name);
  await Promise.all(list.shell.map(async (path) => put(cache, addressOf(path), await shellFile(path))));
}

async function shellFile(path: string): Promise<Response> {
  const address = addressOf(path);
  // What has its contents in its name the browser may have already, from this very visit. What an earlier version kept is asked for
  // again: its contents are the same, but the host may have changed its headers (a policy, isolation).
  const isNew = path.startsWith("assets/") && !(await caches.match(address));
  return plain(await fetched(address, { cache: isNew ? "default" : "no-cache" }));
}

async function begin(): Promise<void> {
  const cache = await caches.open(name);
  const others = (await caches.keys()).filter((other) => other.startsWith(cachePrefix(scope)) && other !== name);
  const before = (await lastInCharge(others)) ?? others.at(-1);
  // Before anything large fills the disk.
  await cache.put(IN_CHARGE, new Response()).then(yes, no);
  for (const path of [...list.later, ...list.fresh]) {
    const file = await kept(addressOf(path));
    // On a full disk it stays where it is.
    const isHere = file && (await put(cache, addressOf(path), file).then(yes, no));
    // A runtime and a judge are too large to be kept twice; they are found wherever they are.
    if (isHere) for (const other of others) await (await caches.open(other)).delete(addressOf(path));
  }
  // A tab that still shows the version before may ask for parts of it; whoever shows an older one was closed long ago, and one
  // that only waited was shown to nobody.
  for (const old of others) if (old !== before) await caches.delete(old);
  // The first visit has used things already, before there was anybody to keep them.
  await world.clients.claim();
  await keepUsed();
}

/** Which of them answered until now, and is in charge no more. An earlier worker left no mark. */
async function lastInCharge(names: readonly string[]): Promise<string | undefined> {
  for (const one of names) if (await (await caches.open(one)).delete(IN_CHARGE)) return one;
  return undefined;
}

/** Keeps what the browser itself still has of the files that are kept once they were used, if there is room. Asks nobody. */
async function keepUsed(): Promise<void> {
  if (!(await caches.has(name))) return;
  const cache = await caches.open(name);
  for (const path of [...list.later, ...list.fresh]) {
    const address = addressOf(path);
    if (await cache.match(address)) continue;
    const here = await fetch(address, { cache: "only-if-cached", mode: "same-origin" }).catch(() => null);
    if (here?.ok) await put(cache, address, here).then(yes, no);
  }
}

/** `lastly` is given what goes on after the answer: a large file is not held back until it has been kept. */
async function answer(
  request: Request,
  way: Exclude<Way, { way: "network" }>,
  lastly: (work: Promise<unknown>) => void,
): Promise<Response> {
  const address = addressOf(way.path);
  if (way.way === "fresh") {
    const response = await fetch(request).catch((error: unknown) => error);
    if (!(response instanceof Response && response.ok)) {
      const before = await kept(address);
      if (before) return before;
      if (!(response instanceof Response)) throw response;
      return response;
    }
    lastly(keep(address, response));
    return response;
  }
  const before = (await kept(address, { cacheName: name })) ?? (await kept(address));
  if (before) return before;
  const response = await fetch(request);
  const isWanted = response.ok && (way.way === "later" || (await isWhatWasKept(address, response)));
  if (isWanted) lastly(keep(address, response));
  return response;
}

/** Keeps a copy, if there is room, unless what was kept has been deleted: a worker answers for as long as its tabs are open. */
async function keep(address: string, response: Response): Promise<void> {
  const copy = response.clone();
  if (!(await caches.has(name))) return;
  await caches
    .open(name)
    .then((cache) => put(cache, address, copy))
    .catch(() => undefined);
}

/** Where the SHA-256 of a kept file stands: a disk may give back other bytes than it took. */
const CHECKSUM = "x-elf-sha256";

/** Of this life of the worker, which is about a visit: what was looked at once is not looked at again. */
const sound = new Set<string>();
/** The SHA-256 of what was kept at an address and came back as something else. */
const damaged = new Map<string, string>();

async function put(cache: Cache, address: string, response: Response): Promise<void> {
  const { status, statusText } = response;
  const bytes = await response.arrayBuffer();
  const headers = new Headers(response.headers);
  headers.set(CHECKSUM, await checksum(bytes));
  await cache.put(address, new Response(bytes, { status, statusText, headers }));
}

/** What is kept at an address, if it is what was put there. Anything else would stand between the person and the page for good. */
async function kept(address: string, where: MultiCacheQueryOptions = {}): Promise<Response | undefined> {
  const read = () => caches.match(address, where).catch(() => undefined);
  const found = await read();
  const told = found?.headers.get(CHECKSUM);
  // One that an earlier version kept has none.
  if (!found || !told || sound.has(`${told} ${address}`)) return found;
  const isSound = await found.arrayBuffer().then(
    async (bytes) => (await checksum(bytes)) === told,
    () => false,
  );
  if (!isSound) {
    damaged.set(address, told);
    return undefined;
  }
  sound.add(`${told} ${address}`);
  // As it lies there, with what the browser has compiled of it.
  return read();
}

/** Whether this is what should have come back; the host may have a newer page by now, which is not this version's. */
async function isWhatWasKept(address: string, response: Response): Promise<boolean> {
  const told = damaged.get(address);
  return told !== undefined && (await checksum(await response.clone().arrayBuffer())) === told;
}

async function checksum(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function fetched(address: RequestInfo, options: RequestInit): Promise<Response> {
  const response = await fetch(address, options);
  if (!response.ok) throw new TypeError(`${response.url} answered ${response.status}.`);
  return response;
}

/** Without the mark of a redirection, which browsers refuse as the answer to a visit: many hosts have one from one form of the page's address to another. */
function plain(response: Response): Response {
  if (!response.redirected) return response;
  const { status, statusText, headers } = response;
  return new Response(response.body, { status, statusText, headers });
}

const yes = () => true;
const no = () => false;

function addressOf(path: string): string {
  return new URL(path, scope).href;
}
