/** Pages of the repository's own sources, for tests of what the built page hides. */
import { test as base, expect, type Page } from "@playwright/test";
import type { ViteDevServer } from "vite";
import { addressOf, serveSources } from "../../src/bench/serve";

interface SourcePages {
  readonly sources: ViteDevServer;
  /** The page whose `window.gpu` has the functions of `gpu/page.ts`; one for all tests of a file. */
  readonly gpuPage: Page;
}

export const test = base.extend<object, SourcePages>({
  sources: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of the fixtures from this pattern.
    async ({}, use) => {
      const server = await serveSources();
      await use(server);
      await server.close();
    },
    { scope: "worker" },
  ],
  gpuPage: [
    async ({ browser, sources }, use) => {
      const page = await browser.newPage();
      page.on("console", (message) => message.type() === "error" && console.error(message.text()));
      await openSourcePage(page, sources, "test/browser/gpu/page.html", "gpu");
      await use(page);
      await page.close();
    },
    { scope: "worker" },
  ],
});

/** Opens a page of the sources and waits until it has put `name` on its window. */
export async function openSourcePage(page: Page, sources: ViteDevServer, path: string, name: string): Promise<void> {
  await page.goto(addressOf(sources, path));
  await expect.poll(() => page.evaluate((wanted) => wanted in window, name)).toBe(true);
}
