import { describe, expect, it, vi } from "vitest";
import { cacheName, KEEP_USED, TAKE_OVER } from "../../offline/list";
import { createOffline, type OfflineWorld } from "./offline";

const PAGE = "https://page.example/folder/?model=stories";
const SCOPE = "https://page.example/folder/";

class FakeWorker extends EventTarget {
  state = "installing";
  readonly said: unknown[] = [];
  postMessage(message: unknown): void {
    this.said.push(message);
  }
  become(state: string): void {
    this.state = state;
    this.dispatchEvent(new Event("statechange"));
  }
}

class FakeRegistration extends EventTarget {
  installing: FakeWorker | null = null;
  waiting: FakeWorker | null = null;
  active: FakeWorker | null = null;
  unregister = vi.fn(async () => true);

  begin(): FakeWorker {
    this.installing = new FakeWorker();
    this.dispatchEvent(new Event("updatefound"));
    return this.installing;
  }
  installed(): void {
    [this.waiting, this.installing] = [this.installing, null];
    this.waiting?.become("installed");
  }
  activated(): void {
    [this.active, this.waiting] = [this.waiting, null];
    this.active?.become("activated");
  }
}

class FakeContainer extends EventTarget {
  readonly registration = new FakeRegistration();
  readonly asked: unknown[] = [];
  readonly controller = null;
  fault: Error | null = null;
  async register(...words: unknown[]): Promise<FakeRegistration> {
    this.asked.push(words);
    if (this.fault) throw this.fault;
    return this.registration;
  }
}

function fakeCaches(kept: Record<string, string[]>) {
  return {
    keys: async () => Object.keys(kept),
    open: async (name: string) => ({ matchAll: async () => (kept[name] ?? []).map((text) => new Response(text)) }),
    delete: async (name: string) => delete kept[name],
  } as unknown as CacheStorage;
}

function offlineOf(caches: CacheStorage | null = null) {
  const container = new FakeContainer();
  const reload = vi.fn();
  const store = createOffline({
    container: container as unknown as NonNullable<OfflineWorld["container"]>,
    caches,
    pageUrl: PAGE,
    reload,
  });
  return { container, registration: container.registration, reload, store, now: () => store.getState() };
}

describe("the page without a network", () => {
  it("is kept by the worker beside it, for its folder, from the first visit on", async () => {
    const { container, registration, reload, now } = offlineOf();
    expect(now().isKept).toBeNull();
    await now().keepPage();
    expect(container.asked).toEqual([[`${SCOPE}offline.js`, { scope: SCOPE, updateViaCache: "none" }]]);
    registration.begin();
    registration.installed();
    expect(now()).toMatchObject({ isKept: false, isNewerHere: false });
    registration.activated();
    container.dispatchEvent(new Event("controllerchange"));
    expect(now()).toMatchObject({ isKept: true, isNewerHere: false });
    expect(reload).not.toHaveBeenCalled();
  });

  it("a newer one waits until it is wanted, and loads the tab that wanted it", async () => {
    const { container, registration, reload, now } = offlineOf();
    registration.active = new FakeWorker();
    await now().keepPage();
    expect(now()).toMatchObject({ isKept: true, isNewerHere: false });
    const newer = registration.begin();
    registration.installed();
    expect(now().isNewerHere).toBe(true);
    expect(newer.said).toEqual([]);
    now().takeNewer();
    expect(newer.said).toEqual([TAKE_OVER]);
    registration.activated();
    container.dispatchEvent(new Event("controllerchange"));
    expect(reload).toHaveBeenCalledOnce();
    expect(now().isNewerHere).toBe(false);
  });

  it("one that waited since an earlier visit is told of at once; another tab's choice reloads nothing here", async () => {
    const { container, registration, reload, now } = offlineOf();
    registration.active = new FakeWorker();
    registration.waiting = new FakeWorker();
    await now().keepPage();
    expect(now().isNewerHere).toBe(true);
    container.dispatchEvent(new Event("controllerchange"));
    expect(reload).not.toHaveBeenCalled();
  });

  it("one that another tab has taken is told of no more, and whoever presses in that moment gets it", async () => {
    const { registration, reload, now } = offlineOf();
    registration.active = new FakeWorker();
    registration.waiting = new FakeWorker();
    await now().keepPage();
    registration.activated();
    expect(now().isNewerHere).toBe(false);
    now().takeNewer();
    expect(reload).toHaveBeenCalledOnce();
  });

  it("where the browser or the host does not let it, nothing else is touched", async () => {
    const { container, now } = offlineOf();
    container.fault = new TypeError("Failed to register a ServiceWorker");
    await now().keepPage();
    expect(now().isKept).toBe(false);
    container.fault = null;
    container.register = async () => undefined as never;
    await now().keepPage();
    expect(now().isKept).toBe(false);
    const none = createOffline({ container: null, caches: null, pageUrl: PAGE, reload: () => {} }).getState;
    await none().keepPage();
    await none().count();
    expect(none()).toMatchObject({ isKept: false, bytes: null });
  });

  it("the worker is told when a model has come with its runtime", async () => {
    const { registration, now } = offlineOf();
    now().keepUsed();
    registration.active = new FakeWorker();
    await now().keepPage();
    now().keepUsed();
    expect(registration.active.said).toEqual([KEEP_USED]);
  });

  it("counts and deletes what is of this page, and nothing of another in a folder beside it", async () => {
    const other = cacheName("https://page.example/", "1");
    const kept = {
      [cacheName(SCOPE, "1")]: ["four", "more"],
      [cacheName(SCOPE, "2")]: ["four"],
      [other]: ["x"],
      mine: ["y"],
    };
    const { registration, now } = offlineOf(fakeCaches(kept));
    registration.active = new FakeWorker();
    await now().keepPage();
    await now().count();
    expect(now().bytes).toBe(12);
    await now().forget();
    expect(Object.keys(kept)).toEqual([other, "mine"]);
    expect(registration.unregister).toHaveBeenCalledOnce();
    expect(now()).toMatchObject({ isKept: false, bytes: 0 });
  });
});
