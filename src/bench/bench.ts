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
import type { GpuFigures, LoopFigures, Passes, WasmFigures } from "./page";
import { addressOf, serveSources } from "./serve";

const { values } = parseArgs({
  options: {
    /** Steps of every run. */
    steps: { type: "string", default: "16" },
    /** How often each loop is measured; the median counts. */
    repeats: { type: "string", default: "3" },
    /** Folder of the model that runs on WebGPU, from the root of the repository. */
    model: { type: "string", default: "test/fixtures/tiny-model" },
    /** Folder of the model that runs in wasm. */
    "wasm-model": { type: "string", default: "models/stories-mini" },
    /** Use the machine's own GPU. */
    gpu: { type: "boolean", default: false },
    json: { type: "string", default: "runs/bench.json" },
  },
});

interface Figures {
  readonly machine: string;
  readonly browser: string;
  readonly webgpu: GpuFigures;
  readonly wasm: WasmFigures;
  readonly passes: Passes;
}

const SOFTWARE = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
const OWN_GPU = ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--ignore-gpu-blocklist"];
const QUIET = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-quic"];

async function measure(): Promise<Figures> {
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
    const steps = Number(values.steps);

    console.error(`our loop and a plain one on WebGPU, ${values.model} …`);
    const webgpu = await page.evaluate(([url, n, repeats]) => window.bench.onWebGpu(url, n, repeats), [
      folder(values.model),
      steps,
      Number(values.repeats),
    ] as const);
    console.error(`wasm, ${values["wasm-model"]} …`);
    const wasm = await page.evaluate(([url, n]) => window.bench.onWasm(url, n), [
      folder(values["wasm-model"]),
      steps,
    ] as const);
    console.error("counting passes …");
    const passes = await page.evaluate(([url, conditional, n]) => window.bench.countPasses(url, conditional, n), [
      folder(values.model),
      folder("test/fixtures/tiny-conditional"),
      steps,
    ] as const);
    const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, Node ${process.version}`;
    return { machine, browser: `Chromium ${browser.version()}`, webgpu, wasm, passes };
  } finally {
    await browser.close();
    await server.close();
  }
}

function table({ machine, browser, webgpu, wasm, passes }: Figures): string {
  const { shape, everyFrame, lastFrame } = webgpu;
  const bytes = (count: number) => `${Math.round(count).toLocaleString("en")} B`;
  const row = (name: string, { ours, plain }: { ours: LoopFigures; plain: LoopFigures }) => {
    const ratio = (plain.millisecondsPerStep / ours.millisecondsPerStep).toFixed(2);
    const times = `${ours.millisecondsPerStep.toFixed(1)} ms | ${plain.millisecondsPerStep.toFixed(1)} ms | ${ratio}`;
    const down = `${bytes(ours.bytesPerStep.down)} | ${bytes(plain.bytesPerStep.down)}`;
    return `| ${name} | ${times} | ${down} | ${bytes(ours.bytesPerStep.up)} | ${bytes(plain.bytesPerStep.up)} |`;
  };
  return `${machine}; ${browser}; WebGPU adapter: ${webgpu.adapter}
L = ${shape.length}, D = ${shape.latentSize}, ${shape.steps} steps, median of ${shape.repeats}

| per step | our loop | plain loop | ratio | read back, ours | plain | uploaded, ours | plain |
|---|---|---|---|---|---|---|---|
${row("every frame read", everyFrame)}
${row("last frame read", lastFrame)}

wasm, ${wasm.threads} thread: ${wasm.seconds.toFixed(1)} s for ${wasm.steps} steps with every frame read, ${(100 * wasm.outside).toFixed(2)} % of it outside onnxruntime
passes, ${passes.steps} steps: decoder ${passes.decoder.lastFrame} instead of ${passes.decoder.everyFrame} where only the end is read; \
a guided run's ${passes.guided.passes} passes in ${passes.guided.runs} batches of two; a fork from the middle takes ${passes.forkFromMiddle}`;
}

const figures = await measure();
const out = join(import.meta.dirname, "..", "..", values.json);
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, `${JSON.stringify(figures, null, 2)}\n`);
console.log(`${table(figures)}\n\n${values.json}`);
