import { join } from "node:path";
import { expect, type Page } from "@playwright/test";
import { createServer, defaultClientConditions, type ViteDevServer } from "vite";

const root = join(import.meta.dirname, "..", "..", "..");

/** Serves the repository's own sources, translated one by one, so that a test can reach what the built page hides. */
export async function serveSources(): Promise<ViteDevServer> {
  const server = await createServer({
    configFile: false,
    root,
    logLevel: "error",
    appType: "mpa",
    cacheDir: "test-results/vite",
    resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
    // All packages these pages use are modules already.
    optimizeDeps: { noDiscovery: true, include: [] },
    server: { port: 0, hmr: false, watch: null },
  });
  return server.listen();
}

/** Opens the page whose `window.gpu` has the functions of `page.ts`. */
export async function openTestPage(page: Page, server: ViteDevServer): Promise<void> {
  await page.goto(`${server.resolvedUrls?.local[0]}test/browser/gpu/page.html`);
  await expect.poll(() => page.evaluate(() => "gpu" in window)).toBe(true);
}
