import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { cacheName, type OfflineList } from "./list";

const SCOPE = "https://host.example/page/";
const LIST: OfflineList = { version: "2", shell: ["", "assets/index-2.js"], later: [], fresh: [] };
const [BEFORE, NOW] = [cacheName(SCOPE, "1"), cacheName(SCOPE, "2")];

/** As much of a browser's caches as the worker asks for. */
class TestCaches {
  readonly all = new Map<string, Map<string, Response>>();

  async open(name: string) {
    const cache = this.all.get(name) ?? new Map<string, Response>();
    this.all.set(name, cache);
    return {
      match: async (address: string) => cache.get(address)?.clone(),
      put: async (address: string, response: Response) => void cache.set(address, response),
      delete: async (address: string) => cache.delete(address),
    };
  }
  async match(address: string, { cacheName }: MultiCacheQueryOptions = {}) {
    const looked = cacheName === undefined ? [...this.all.values()] : [this.all.get(cacheName)];
    return looked
      .find((cache) => cache?.has(address))
      ?.get(address)
      ?.clone();
  }
  async keys() {
    return [...this.all.keys()];
  }
  async has(name: string) {
    return this.all.has(name);
  }
  async delete(name: string) {
    return this.all.delete(name);
  }
}

const addressOf = (path: string) => new URL(path, SCOPE).href;

let caches: TestCaches;
let listeners: Map<string, (event: unknown) => void>;
/** What the host has. */
let host: Map<string, string>;

beforeEach(async () => {
  caches = new TestCaches();
  listeners = new Map();
  host = new Map();
  vi.stubGlobal("registration", { scope: SCOPE });
  vi.stubGlobal("clients", { claim: async () => undefined });
  vi.stubGlobal("caches", caches);
  vi.stubGlobal("addEventListener", (type: string, listener: (event: unknown) => void) =>
    listeners.set(type, listener),
  );
  vi.stubGlobal("fetch", async (asked: string | Request) => {
    const text = host.get(typeof asked === "string" ? asked : asked.url);
    return text === undefined ? new Response("", { status: 404 }) : new Response(text);
  });
  await start(LIST);
});

afterEach(() => vi.unstubAllGlobals());

/** The worker of a version, as the browser runs it once it has been downloaded. */
async function start(list: OfflineList) {
  vi.stubGlobal("__OFFLINE_LIST__", list);
  vi.resetModules();
  await import("./worker");
}

async function tell(type: "install" | "activate") {
  const work: Promise<unknown>[] = [];
  listeners.get(type)?.({ waitUntil: (its: Promise<unknown>) => work.push(its) });
  await Promise.all(work);
}

/** Has the worker installed and activated, as when a person takes its version in some tab. */
async function takeOver() {
  await tell("install");
  await tell("activate");
}

/** What a tab gets for a file: the worker's answer, or that of the host where the worker leaves it alone. */
async function got(path: string): Promise<string | number> {
  const request = new Request(addressOf(path));
  const answers: Promise<Response>[] = [];
  listeners.get("fetch")?.({ request, respondWith: (its: Promise<Response>) => answers.push(its) });
  const response = await (answers[0] ?? fetch(request));
  return response.ok ? response.text() : response.status;
}

describe("the worker of a newer page", () => {
  beforeEach(async () => {
    const before = await caches.open(BEFORE);
    for (const path of ["assets/index-1.js", "assets/lens-1.js"]) await before.put(addressOf(path), new Response(path));
    // The host has been replaced.
    for (const path of LIST.shell) host.set(addressOf(path), path);
    await takeOver();
  });

  it("answers a tab that still shows the version before with that one's parts", async () => {
    expect(await got("assets/lens-1.js")).toBe("assets/lens-1.js");
    expect(await got("assets/index-2.js")).toBe("assets/index-2.js");
    expect([...(caches.all.get(BEFORE)?.keys() ?? [])]).toContain(addressOf("assets/lens-1.js"));
  });

  it("asks the host for what nobody kept, and keeps none of it", async () => {
    expect(await got("assets/lens-0.js")).toBe(404);
    host.set(addressOf("assets/lens-3.js"), "newer");
    expect(await got("assets/lens-3.js")).toBe("newer");
    // The files of a page come in whatever order.
    const keptNow = [...(caches.all.get(NOW)?.keys() ?? [])].sort();
    expect(keptNow).toEqual([...LIST.shell, "in-charge"].map(addressOf).sort());
  });
});

describe("what is kept of versions", () => {
  /** The host has this version now, and the worker of it is downloaded and installed. */
  async function release(version: string) {
    const list = { ...LIST, version, shell: ["", `assets/lens-${version}.js`] };
    for (const path of list.shell) host.set(addressOf(path), path);
    await start(list);
    await tell("install");
  }

  it.each([
    ["one that only waited", ["1 taken", "2", "3 taken"]],
    ["one that was taken back", ["1 taken", "2 taken", "1 taken", "3 taken"]],
  ])("is the one that tabs show, not %s", async (_, releases) => {
    for (const said of releases) {
      const [version = "", taken] = said.split(" ");
      await release(version);
      if (taken) await tell("activate");
    }
    host.clear();
    expect([await got("assets/lens-1.js"), await got("assets/lens-3.js")]).toEqual([
      "assets/lens-1.js",
      "assets/lens-3.js",
    ]);
    expect(await caches.keys()).toEqual([BEFORE, cacheName(SCOPE, "3")]);
  });
});
