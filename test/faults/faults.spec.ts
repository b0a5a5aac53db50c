/** `npm run faults`: plays every scene, and notes what came of each fault for the table. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, test } from "@playwright/test";
import { SCENES } from "./scenes";

for (const { title, on, play } of SCENES) {
  test(`${on}: ${title}`, async ({ page, context, browser, playwright, launchOptions, baseURL }) => {
    const folders: string[] = [];
    const launched: BrowserContext[] = [];
    const folder = () => {
      const made = mkdtempSync(join(tmpdir(), "elf-faults-"));
      folders.push(made);
      return made;
    };
    const launch = async (profile: string, options = {}) => {
      const all = { ...launchOptions, baseURL: baseURL ?? "", ...options };
      const started = await playwright.chromium.launchPersistentContext(profile, all);
      launched.push(started);
      return started;
    };
    try {
      await play({ page, context, browser, launch, folder }, (fault, survival) => {
        test.info().annotations.push({ type: "survived", description: JSON.stringify({ fault, ...survival }) });
      });
    } finally {
      for (const started of launched) await started.close();
      for (const made of folders) rmSync(made, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    }
  });
}
