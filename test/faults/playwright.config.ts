import { join } from "node:path";
import { defineConfig } from "@playwright/test";
import browserTests, { launch, noGpu, server, softwareWebGpu } from "../../playwright.config";

/** The browsers and the server of the browser tests, with a table at the end. */
export default defineConfig({
  ...browserTests,
  // It would be started in this folder.
  webServer: { ...server, cwd: join(import.meta.dirname, "../..") },
  testDir: import.meta.dirname,
  outputDir: "../../test-results",
  reporter: [["list"], [join(import.meta.dirname, "reporter.ts")]],
  timeout: 240_000,
  expect: { timeout: 30_000 },
  projects: [
    { name: "page", use: launch(noGpu), grep: /^((?!gpu:|command:).)*$/ },
    // In software it takes its time.
    {
      name: "gpu",
      use: launch(softwareWebGpu),
      grep: /gpu:/,
      timeout: 300_000,
      expect: { timeout: 60_000 },
    },
    { name: "command", use: launch(noGpu), grep: /command:/, timeout: 400_000, expect: { timeout: 120_000 } },
  ],
});
