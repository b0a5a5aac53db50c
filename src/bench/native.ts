/**
 * The page's own loop on ONNX Runtime's native build for Node, in a process of its own: one of the peers of `peers.ts`. That build is
 * 290 MB and nothing else needs it, so it has a folder and a lock file of its own, which `npm run peers` installs. Prints the figures
 * as JSON; the words are a model's folder, the settings as JSON, and how often it is to be written.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Platform } from "../runtime/backend";
import { type OrtModule, Runtime } from "../runtime/runtime";
import { wasmOnly } from "../runtime/wasmOnly";
import { asPeer } from "./measure";
import { openModelOn } from "./openModel";

const [folder = "", settings = "", repeats = ""] = process.argv.slice(2);
const require = createRequire(join(import.meta.dirname, "onnxruntime-node", "package.json"));

/** It takes the place of wasm: plain arrays in and out. */
const platform: Platform = {
  ...wasmOnly,
  startWasm: async () => {
    const ort: OrtModule = require("onnxruntime-node");
    return new Runtime("wasm", ort, { name: "cpu" });
  },
};

const open = () =>
  openModelOn(platform, {
    baseUrl: `${pathToFileURL(resolve(folder)).href}/`,
    wanted: "wasm",
    fetchFile: async (url) => new Response(await readFile(new URL(url))),
  });

const figures = await asPeer(open, JSON.parse(settings), Number(repeats));
const peakBytes = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ ...figures, peer: "the page's loop in Node, onnxruntime-node", peakBytes }));
