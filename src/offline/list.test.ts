import { describe, expect, it } from "vitest";
import { offlineList } from "../../vite.offline";
import { cacheName, cachePrefix, type OfflineList, wayOf } from "./list";

const SCOPE = "https://host.example/a%20folder/page/";
const LIST: OfflineList = {
  version: "1",
  shell: ["", "assets/index-1.js", "traces/stories.json"],
  later: ["assets/ort-2.wasm"],
  fresh: ["models/index.json", "models/stories-judge/judge.json"],
};
const asked = (path: string, change: object = {}) =>
  wayOf({ url: new URL(path, SCOPE).href, method: "GET", mode: "cors", isRange: false, ...change }, SCOPE, LIST);

describe("wayOf", () => {
  it("the page is what is kept, whatever stands behind its address", () => {
    const visit = { mode: "navigate" };
    for (const address of ["", "index.html", "?model=stories#run=x", "index.html?backend=wasm"]) {
      expect(asked(address, visit)).toEqual({ way: "kept", path: "" });
    }
  });

  it("other pages of the folder are not touched: the documentation, an embedded page", () => {
    for (const address of ["docs/", "docs/index.html", "embed.html?x=1", "assets/"]) {
      expect(asked(address, { mode: "navigate" })).toEqual({ way: "network" });
    }
  });

  it("files of the shell are kept, the runtime comes to be, the names of the models are asked for anew", () => {
    expect(asked("assets/index-1.js")).toEqual({ way: "kept", path: "assets/index-1.js" });
    expect(asked("assets/ort-2.wasm")).toEqual({ way: "later", path: "assets/ort-2.wasm" });
    for (const path of LIST.fresh) expect(asked(path)).toEqual({ way: "fresh", path });
  });

  it("what another version has of named files is looked for in all that is kept: a tab may still show it", () => {
    for (const path of ["assets/index-0.js", "assets/ort-1.wasm"]) expect(asked(path)).toEqual({ way: "kept", path });
  });

  it.each<[string, string, object]>([
    ["a model's file", "models/stories/manifest.json", {}],
    ["an unknown file", "traces/other.json", {}],
    ["a file that no build names so", "assets/..%2Ftraces%2Fstories.json", {}],
    ["a part of a file", "assets/ort-2.wasm", { isRange: true }],
    ["what is sent", "assets/index-1.js", { method: "POST" }],
    ["a file with a question", "assets/index-1.js?v=2", {}],
    ["another folder", "../other/assets/index-1.js", {}],
    ["another host", "https://elsewhere.example/a%20folder/page/assets/index-1.js", {}],
    ["an address that is no text", "assets/%ff.js", {}],
  ])("%s is the network's", (_, path, change) => {
    expect(asked(path, change)).toEqual({ way: "network" });
  });

  it("a fetch of the folder itself is no visit", () => {
    expect(asked("")).toEqual({ way: "network" });
  });
});

describe("cacheName", () => {
  it("pages in two folders of one host do not share one, nor is one's name the beginning of the other's", () => {
    const [one, other] = ["https://host.example/", "https://host.example/page/"];
    expect(cacheName(one, "1")).not.toBe(cacheName(other, "1"));
    expect(cacheName(other, "1").startsWith(cachePrefix(one))).toBe(false);
  });
});

describe("offlineList", () => {
  const named = [
    "assets/index-a.js",
    "assets/index-a.css",
    "assets/ort-wasm-simd-threaded-b.wasm",
    "assets/ort-wasm-simd-threaded-b.mjs",
    "assets/ort.wasm.min-c.js",
    "assets/inter-latin-wght-normal-d.woff2",
    "assets/inter-cyrillic-wght-normal-d.woff2",
  ];
  const open = (text: string) => [
    { file: "", bytes: Buffer.from(text) },
    { file: "preview.png", bytes: Buffer.from(`${text}!`) },
    { file: "traces/stories.json", bytes: Buffer.from("{}") },
  ];

  it("the shell is what the page opens with; runtimes and letters of other scripts come later", () => {
    const { shell, later } = offlineList(named, open("page"));
    expect(shell).toEqual([
      "",
      "assets/index-a.css",
      "assets/index-a.js",
      "assets/inter-latin-wght-normal-d.woff2",
      "traces/stories.json",
    ]);
    expect(later).toEqual([
      "assets/inter-cyrillic-wght-normal-d.woff2",
      "assets/ort-wasm-simd-threaded-b.mjs",
      "assets/ort-wasm-simd-threaded-b.wasm",
      "assets/ort.wasm.min-c.js",
    ]);
  });

  it("the version is that of the contents: the same for the same, another for one letter more", () => {
    const { version } = offlineList(named, open("page"));
    expect(offlineList([...named].reverse(), open("page")).version).toBe(version);
    expect(offlineList(named, open("pages")).version).not.toBe(version);
    expect(offlineList([...named, "assets/more-e.js"], open("page")).version).not.toBe(version);
  });
});
