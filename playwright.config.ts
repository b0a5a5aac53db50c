import { defineConfig } from "@playwright/test";

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

/** A WebGPU adapter in software, for machines without a GPU: right, and very slow. */
const softwareWebGpu = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

const launch = (args: readonly string[]) => ({
  launchOptions: {
    args: [...quiet, ...args],
    ...(process.env.CHROMIUM ? { executablePath: process.env.CHROMIUM } : {}),
  },
});

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
  use: { baseURL: `http://localhost:${port}/`, viewport: { width: 1280, height: 900 }, trace: "retain-on-failure" },
  projects: [
    { name: "wasm", use: launch([]), testIgnore: /webgpu/ },
    { name: "webgpu", use: launch(softwareWebGpu), testMatch: /webgpu|writing/ },
  ],
  webServer: {
    command: `npx vite preview --port ${port} --strictPort`,
    url: `http://localhost:${port}/`,
    reuseExistingServer: !process.env.CI,
  },
});
