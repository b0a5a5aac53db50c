import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { cacheName, type OfflineList } from "./list";

const SCOPE = "https://host.example/page/";
const LIST: OfflineList = { version: "2", shell: ["", "assets/index-2.js"], later: [], fresh: [] };
const [BEFORE, NOW] = [cacheName(SCOPE, "1"), cacheName(SCOPE, "2")];

/** As much of a browser's caches as the worker asks for. */
class TestCaches {
  readonly all = new Map<string, Map<string, Response>>();
  /** What the disk has no room for. Once it was asked for, the disk is full for anything. */
  full: RegExp | undefined;

  async open(name: string) {
    const cache = this.all.get(name) ?? new Map<string, Response>();
    this.all.set(name, cache);
    return {
      match: async (address: string) => cache.get(address)?.clone(),
      put: async (address: string, response: Response) => {
        if (this.full?.test(address)) {
          this.full = /./;
          throw new DOMException("Full.", "QuotaExceededError");
        }
        cache.set(address, response);
      },
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
let host: Map<string, string | Response>;

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
    if (text instanceof Response) return text;
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

/** What a tab is answered for a file: by the worker, or by the host where the worker leaves it alone. `kept` waits for what comes after. */
async function answered(path: string): Promise<{ response: Response; kept: () => Promise<unknown> }> {
  const request = new Request(addressOf(path));
  const answers: Promise<Response>[] = [];
  const work: Promise<unknown>[] = [];
  listeners.get("fetch")?.({
    request,
    respondWith: (its: Promise<Response>) => answers.push(its),
    waitUntil: (its: Promise<unknown>) => work.push(its),
  });
  const response = await (answers[0] ?? fetch(request));
  return { response, kept: () => Promise.all(work) };
}

/** The text that a tab gets for a file, or the status that it is refused with. */
async function got(path: string): Promise<string | number> {
  const { response, kept } = await answered(path);
  const text = response.ok ? await response.text() : response.status;
  await kept();
  return text;
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

describe("what is asked for anew each time", () => {
  const NAMES = "models/index.json";

  beforeEach(async () => {
    await start({ ...LIST, fresh: [NAMES] });
    for (const path of LIST.shell) host.set(addressOf(path), path);
    await takeOver();
  });

  it("comes as the host sends it, before all of it is here", async () => {
    const sent = new TransformStream<Uint8Array, Uint8Array>();
    host.set(addressOf(NAMES), new Response(sent.readable));
    const { response, kept } = await answered(NAMES);
    const writer = sent.writable.getWriter();
    const text = response.text();
    await writer.write(new TextEncoder().encode("names"));
    await writer.close();
    expect(await text).toBe("names");
    await kept();
    host.delete(addressOf(NAMES));
    expect(await got(NAMES)).toBe("names");
  });

  it("is refused as the host refuses it, where nothing came before", async () => {
    expect(await got(NAMES)).toBe(404);
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    await expect(got(NAMES)).rejects.toThrow("Failed to fetch");
  });
});

describe("what is kept of versions", () => {
  /** The host has this version now, and the worker of it is downloaded and installed. */
  async function release(version: string, later: readonly string[] = []) {
    const list = { ...LIST, version, later, shell: ["", `assets/lens-${version}.js`] };
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

  it("is the one that tabs show, also where the disk had no room to take a runtime over", async () => {
    const later = ["assets/ort-1.wasm"];
    await release("1", later);
    await tell("activate");
    host.set(addressOf("assets/ort-1.wasm"), "runtime");
    expect(await got("assets/ort-1.wasm")).toBe("runtime");
    await release("2", later);
    caches.full = /ort-1/;
    await tell("activate");
    caches.full = undefined;
    host.delete(addressOf("assets/ort-1.wasm"));
    expect(await got("assets/ort-1.wasm")).toBe("runtime");
    await release("3", later);
    await tell("activate");
    host.clear();
    expect([await got("assets/lens-2.js"), await got("assets/ort-1.wasm")]).toEqual(["assets/lens-2.js", "runtime"]);
    expect(await caches.keys()).toEqual([NOW, cacheName(SCOPE, "3")]);
  });

  it("comes with the headers that the host sends by now", async () => {
    await release("1");
    await tell("activate");
    const asset = addressOf("assets/lens-1.js");
    host.set(asset, new Response("assets/lens-1.js", { headers: { "Content-Security-Policy": "newer" } }));
    await start({ ...LIST, shell: ["", "assets/lens-1.js"] });
    await takeOver();
    const { response } = await answered("assets/lens-1.js");
    expect(response.headers.get("Content-Security-Policy")).toBe("newer");
  });
});
