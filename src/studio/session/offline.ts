import { createStore, type StoreApi } from "zustand/vanilla";
import { cachePrefix, KEEP_USED, TAKE_OVER } from "../../offline/list";
import { trusted } from "../../worker/trust";

/** Whether the page opens without a network, and whether a newer one waits. */
export interface OfflineStore {
  /** Null until it is known; false where this browser keeps no pages, as on plain http and in some private windows. */
  readonly isKept: boolean | null;
  /** Bytes that are kept of the page and its runtime; null until they were counted. */
  readonly bytes: number | null;
  /** Whether a newer page is here that only waits to be wanted. */
  readonly isNewerHere: boolean;

  /** Has the browser keep the page, and looks whether a newer one is here. Never rejects. */
  keepPage(): Promise<void>;
  count(): Promise<void>;
  /** Keeps what this visit has used of the runtime: the first visit uses it before there is anybody to keep it. */
  keepUsed(): void;
  /** Turns to the newer page, which loads this tab anew. */
  takeNewer(): void;
  /** Deletes what is kept of the page. The next visit keeps it again. */
  forget(): Promise<void>;
}

/** What of the browser is used; each is null where there is none. */
export interface OfflineWorld {
  readonly container: Pick<ServiceWorkerContainer, "register" | "controller" | "addEventListener"> | null;
  readonly caches: CacheStorage | null;
  /** Address of the page. */
  readonly pageUrl: string;
  readonly reload: () => void;
}

export function createOffline({ container, caches, pageUrl, reload }: OfflineWorld): StoreApi<OfflineStore> {
  const scope = new URL("./", pageUrl).href;
  let registration: ServiceWorkerRegistration | null = null;
  let isWanted = false;

  const store = createStore<OfflineStore>()((set, get) => ({
    isKept: null,
    bytes: null,
    isNewerHere: false,

    keepPage,
    count: async () => {
      const bytes = caches ? await bytesKept(caches, scope).catch(() => null) : null;
      set({ bytes });
    },
    keepUsed: () => registration?.active?.postMessage(KEEP_USED),
    takeNewer: () => {
      isWanted = true;
      // Where another tab has taken it already, this one needs only be loaded anew.
      if (registration?.waiting) registration.waiting.postMessage(TAKE_OVER);
      else reload();
    },
    forget: async () => {
      await registration?.unregister();
      registration = null;
      for (const name of caches ? await namesKept(caches, scope) : []) await caches?.delete(name);
      set({ isKept: false, isNewerHere: false });
      await get().count();
    },
  }));

  async function keepPage(): Promise<void> {
    if (!container) {
      store.setState({ isKept: false });
      return;
    }
    // Only where it was asked for: the first visit, too, gets a worker while it is open, and so does every other tab.
    container.addEventListener("controllerchange", () => {
      if (isWanted) reload();
    });
    const address = new URL("offline.js", scope).href;
    const register = async () => container.register(trusted(address), { scope, updateViaCache: "none" });
    // Forbidden here, or without its file: the page is what it always was. Extensions that forbid it answer with nothing.
    const known = (await register().catch(() => null)) ?? null;
    registration = known;
    if (!known) {
      store.setState({ isKept: false });
      return;
    }
    store.setState({ isKept: known.active !== null, isNewerHere: known.waiting !== null && known.active !== null });
    const follow = (worker: ServiceWorker | null) => {
      worker?.addEventListener("statechange", () => {
        if (worker.state === "installed" && known.active) store.setState({ isNewerHere: true });
        if (worker.state === "activated") store.setState({ isKept: true, isNewerHere: known.waiting !== null });
      });
    };
    follow(known.installing);
    follow(known.waiting);
    known.addEventListener("updatefound", () => follow(known.installing));
  }

  return store;
}

async function namesKept(caches: CacheStorage, scope: string): Promise<string[]> {
  return (await caches.keys()).filter((name) => name.startsWith(cachePrefix(scope)));
}

async function bytesKept(caches: CacheStorage, scope: string): Promise<number> {
  let bytes = 0;
  for (const name of await namesKept(caches, scope)) {
    for (const response of await (await caches.open(name)).matchAll()) bytes += (await response.blob()).size;
  }
  return bytes;
}
