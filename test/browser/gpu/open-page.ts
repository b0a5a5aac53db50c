import { expect, type Page } from "@playwright/test";
import type { ViteDevServer } from "vite";
import { addressOf } from "../../../src/bench/serve";

/** Opens the page whose `window.gpu` has the functions of `page.ts`. */
export async function openTestPage(page: Page, server: ViteDevServer): Promise<void> {
  await page.goto(addressOf(server, "test/browser/gpu/page.html"));
  await expect.poll(() => page.evaluate(() => "gpu" in window)).toBe(true);
}
