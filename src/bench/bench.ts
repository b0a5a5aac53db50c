/**
 * `npm run bench`: what the loop on the GPU saves, measured on one page of a headless Chromium. Prints a table and writes
 * the figures as JSON. On a machine without a GPU its WebGPU adapter is one in software, where the network itself takes
 * nearly all the time: there only the bytes and the passes say something, and the ratios are near 1.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { addressOf, serveSources } from "./serve";
import { type Figures, table } from "./table";

const { values } = parseArgs({
  options: {
    /** Steps of every run. */
    steps: { type: "string", default: "16" },
    /** How often each loop is measured; the median counts. */
    repeats: { type: "string", default: "3" },
    /** Folder of the model that runs on WebGPU, from the root of the repository. */
    model: { type: "string", default: "test/fixtures/tiny-model" },
    /** Folder of the model that runs in wasm. */
    "wasm-model": { type: "string", default: "test/fixtures/stories-mini" },
    /** Folder of the model whose frames are shown, in wasm. */
    "shown-model": { type: "string", default: "models/stories" },
    /** Use the machine's own GPU. */
    gpu: { type: "boolean", default: false },
    /** Without a browser: WebGPU by Dawn in Node (dawn.ts says what it needs), and nothing in wasm. */
    node: { type: "boolean", default: false },
    json: { type: "string", default: "runs/bench.json" },
  },
});

const SOFTWARE = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
const OWN_GPU = ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--ignore-gpu-blocklist"];
const QUIET = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-quic"];

const root = join(import.meta.dirname, "..", "..");
/** Those of the shipped models: of fewer steps the text itself is a larger part. */
const SHOWN_STEPS = 32;
const CONDITIONAL = "test/fixtures/tiny-conditional";
const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, Node ${process.version}`;
const steps = Number(values.steps);
const repeats = Number(values.repeats);

async function withoutBrowser(): Promise<Figures> {
  const { measureInNode } = await import("./dawn");
  const figures = await measureInNode(join(root, values.model), join(root, CONDITIONAL), steps, repeats);
  return { machine, browser: "Dawn in Node", ...figures };
}

async function inBrowser(): Promise<Figures> {
  const server = await serveSources();
  const browser = await chromium.launch({
    args: [...QUIET, ...(values.gpu ? OWN_GPU : SOFTWARE)],
    ...(process.env.CHROMIUM ? { executablePath: process.env.CHROMIUM } : {}),
  });
  try {
    const page = await browser.newPage();
    await page.goto(addressOf(server, "src/bench/page.html"));
    await page.waitForFunction(() => "bench" in window);
    const folder = (path: string) => addressOf(server, `${path}/`);
    const adapter = await page.evaluate(() => window.bench.adapter());

    console.error(`our loop and a plain one on WebGPU, ${values.model} …`);
    const webgpu = await page.evaluate(([url, n, times]) => window.bench.onWebGpu(url, n, times), [
      folder(values.model),
      steps,
      repeats,
    ] as const);
    console.error(`wasm, ${values["wasm-model"]} …`);
    const wasm = await page.evaluate(([url, n]) => window.bench.onWasm(url, n), [
      folder(values["wasm-model"]),
      steps,
    ] as const);
    console.error(`frames shown, in wasm, ${values["shown-model"]} …`);
    const shown = await page.evaluate(([url, n, times]) => window.bench.ofShownFrames(url, n, times), [
      folder(values["shown-model"]),
      SHOWN_STEPS,
      repeats,
    ] as const);
    console.error("counting passes …");
    const passes = await page.evaluate(([url, conditional, n]) => window.bench.countPasses(url, conditional, n), [
      folder(values.model),
      folder(CONDITIONAL),
      steps,
    ] as const);
    return { machine, browser: `Chromium ${browser.version()}`, adapter, webgpu, wasm, shown, passes };
  } finally {
    await browser.close();
    await server.close();
  }
}

const figures = await (values.node ? withoutBrowser() : inBrowser());
const out = join(root, values.json);
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, `${JSON.stringify(figures, null, 2)}\n`);
console.log(`${table(figures)}\n\n${values.json}`);
// Dawn's own threads would keep Node from ending.
process.exit(0);
