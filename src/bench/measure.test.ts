import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { wasmOnly } from "../runtime/wasmOnly";
import { asPeer } from "./measure";
import { openModelOn } from "./openModel";

const folder = join(import.meta.dirname, "../../test/fixtures/tiny-model");
const BASE = "https://host.example/tiny-model/";

const openTiny = () =>
  openModelOn(wasmOnly, {
    baseUrl: BASE,
    wanted: "wasm",
    fetchFile: async (url) => new Response(await readFile(join(folder, String(url).slice(BASE.length)))),
  });

it("as a peer the page's loop writes what those in Python write", async () => {
  const found = await asPeer(openTiny, { steps: 3, seed: 7, selfCondScale: 1.5 }, 2);
  // Those of export/tests/test_bench.py.
  expect(found.tokens).toEqual([49, 120, 11, 49, 49, 53, 30, 49, 49, 99, 24, 115, 49, 24, 113, 87]);
  expect(found.peer).toMatch(/^the page, wasm, \d thread/);
  for (const seconds of [found.loadSeconds, found.firstTextSeconds, found.stepSeconds]) {
    expect(seconds).toBeGreaterThan(0);
  }
});
