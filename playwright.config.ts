import { defineConfig } from "@playwright/test";
import { quickWasm } from "./src/runtime/testing/quickWasm";

/** Two checkouts that are tested at once on one machine need two. */
const port = Number(process.env.ELF_PORT ?? 4173);

/** Without these, Chromium calls home all the time, which a closed network answers with errors. */
const quiet = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-dev-shm-usage",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
  "--no-sandbox",
];

/** Nothing is computed on a GPU, the picture of the page neither: it would go through one in software. */
export const noGpu = ["--disable-gpu"];

/**
 * A WebGPU adapter in software, for machines without a GPU: right, and very slow. Half of a load goes into clearing the
 * memory of each workgroup, but it has to be cleared: onnxruntime's kernels of 8-bit weights are wrong without.
 */
export const softwareWebGpu = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  // It takes a GPU that is silent for ten seconds for one that hangs: one in software on a busy machine may just be slow.
  "--disable-gpu-watchdog",
];

/** The headless shell is Chromium without what makes a window, and costs less; `npm test` finds both. */
const browser = process.env.CHROMIUM_HEADLESS_SHELL ?? process.env.CHROMIUM;

export const launch = (args: readonly string[]) => ({
  launchOptions: {
    args: [...quiet, `--js-flags=${quickWasm.join()}`, ...args],
    ...(browser ? { executablePath: browser } : {}),
  },
});

/** Serves the built page. */
export const server = {
  command: `npx vite preview --port ${port} --strictPort`,
  url: `http://localhost:${port}/`,
  reuseExistingServer: !process.env.CI,
};

/** Browser tests run on the built page (`npx vite build`), one project per backend. */
export default defineConfig({
  testDir: "test/browser",
  outputDir: "test-results",
  reporter: [["list"]],
  // A model computes in every test: side by side they would only slow each other down.
  workers: 1,
  // Long, because on two cores that others use too a GPU in software takes its time: they end what hangs, nothing else.
  timeout: 900_000,
  expect: { timeout: 300_000 },
  // No trace: keeping one of each test in case it fails takes as long as some of the tests. `--trace on` makes one.
  // A worker that answers for the page would stand between it and the answers that tests make up; `offline.spec.ts` lets it.
  use: { baseURL: `http://localhost:${port}/`, viewport: { width: 1280, height: 900 }, serviceWorkers: "block" },
  projects: [
    { name: "wasm", use: launch(noGpu), testIgnore: /webgpu/ },
    { name: "webgpu", use: launch(softwareWebGpu), testMatch: /webgpu/ },
    // What is written on the page, once more: with a GPU in software it takes long.
    { name: "webgpu @slow", use: launch(softwareWebGpu), testMatch: /writing/ },
  ],
  webServer: server,
});
