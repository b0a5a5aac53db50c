import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { DEFAULT_MODEL } from "../../src/delivery/shipped";
import { parseManifest } from "../../src/format/manifest";
import { spoilSelfTest } from "./altered-model";
import { StudioPage } from "./studio-page";

const MANIFEST = join(import.meta.dirname, "../../models", DEFAULT_MODEL, "manifest.json");
const { dtypes, defaultDtype } = parseManifest(readFileSync(MANIFEST, "utf8"));
const SHARD = dtypes[defaultDtype]?.shards[0] ?? "";

/** Presses Generate on a page one of whose model files is spoilt, and returns the alert. */
async function generateWith(page: Page, file: string, spoil: (page: Page, file: string) => Promise<unknown>) {
  const studio = new StudioPage(page);
  await spoil(page, `**/models/${DEFAULT_MODEL}/${file}`);
  await studio.open({ backend: "wasm" });
  await expect(studio.stage).toBeVisible();
  const before = await studio.runs.count();
  await studio.generate.click();
  await expect(studio.alert).toBeVisible();
  // What was there before is still there, and the page can be used on.
  await expect(studio.runs).toHaveCount(before);
  await expect(studio.stage).toBeVisible();
  await expect(studio.generate).toHaveText(/^Generate/);
  expect(studio.faults).toEqual([]);
  return studio.alert;
}

const missing = (page: Page, file: string) =>
  page.route(file, (route) => route.fulfill({ status: 404, body: "not found" }));

const altered = (change: (body: Buffer) => Buffer) => (page: Page, file: string) =>
  page.route(file, async (route) => {
    const response = await route.fetch();
    const headers = { ...response.headers() };
    delete headers["content-length"];
    await route.fulfill({ status: 200, headers, body: change(await response.body()) });
  });

test("missing weights", async ({ page }) => {
  const alert = await generateWith(page, SHARD, missing);
  await expect(alert).toHaveAttribute("data-code", "missing-file");
});

test("truncated weights", async ({ page }) => {
  const alert = await generateWith(
    page,
    SHARD,
    altered((body) => body.subarray(0, 1000)),
  );
  await expect(alert).toHaveAttribute("data-code", "truncated-file");
});

test("weights that are not what the manifest says", async ({ page }) => {
  const flip = altered((body) => {
    body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1;
    return body;
  });
  const alert = await generateWith(page, SHARD, flip);
  await expect(alert).toHaveAttribute("data-code", "corrupt-file");
});

test("a manifest of another version", async ({ page }) => {
  const later = altered((body) => Buffer.from(JSON.stringify({ ...JSON.parse(body.toString()), schemaVersion: 99 })));
  const alert = await generateWith(page, "manifest.json", later);
  await expect(alert).toHaveAttribute("data-code", "manifest-version");
});

test("graphs that compute wrong numbers even in wasm", async ({ page }) => {
  const studio = new StudioPage(page);
  await spoilSelfTest(page, "tiny-model", "denoiser.x_hat");
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await studio.generate.click();
  await expect(studio.alert).toHaveAttribute("data-code", "self-test");
  await expect(studio.alert).toContainText("The denoiser computes wrong numbers on wasm");
  await expect(studio.generate).toHaveText(/^Generate/);
  expect(studio.faults).toEqual([]);
});

test("no WebGPU where it was asked for", async ({ page }) => {
  await page.addInitScript("Object.defineProperty(Navigator.prototype, 'gpu', { value: undefined })");
  const studio = new StudioPage(page);
  await studio.open({ backend: "webgpu" });
  await studio.generate.click();
  await expect(studio.alert).toHaveAttribute("data-code", "no-web-gpu");
  await expect(studio.alert).toContainText("wasm");
});

test("a mended file makes the next try succeed", async ({ page }) => {
  const alert = await generateWith(page, SHARD, missing);
  await page.unrouteAll();
  await page.getByRole("textbox", { name: "Steps" }).fill("2");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByTestId("readout")).toContainText("step 2 of 2");
  await expect(alert).toHaveCount(0);
});
