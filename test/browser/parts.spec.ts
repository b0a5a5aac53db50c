import { expect, test } from "@playwright/test";
import { keepBrokenRun } from "./kept-runs";
import { StudioPage } from "./studio-page";

test("a part that cannot be shown says so in its place, and the rest works on", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm" });
  await expect(studio.stage).toBeVisible();
  await keepBrokenRun(page);
  await page.reload();
  await expect(studio.stage).toBeVisible();
  const broken = page.getByRole("listitem").locator("[data-code=part]");
  await expect(broken).toContainText("A run of this list cannot be shown");
  await expect(broken).toContainText("Your runs are kept.");
  await studio.time.press("End");
  await expect(studio.readout).toContainText("t = 1.00");
  await broken.getByRole("button", { name: "Show it again" }).click();
  await expect(broken).toBeVisible();
  await broken.getByRole("button", { name: "Delete it" }).click();
  await expect(broken).toHaveCount(0);
  await expect(page.locator("[data-code=part]")).toHaveCount(0);
  await page.reload();
  await expect(studio.stage).toBeVisible();
  await expect(studio.runs).toHaveCount(1);
  await expect(broken).toHaveCount(0);
});

test("a run that cannot be shown stands on no stage, and in no other run's way", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  // Without a recorded run, which would come before it.
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await keepBrokenRun(page);
  await page.reload();
  const broken = page.locator("[data-code=part]");
  await expect(broken).toContainText("A run of this list cannot be shown");
  await expect(broken).toHaveCount(1);
  await studio.set("Steps", 2);
  await studio.generate.click();
  await expect(studio.readout).toContainText("step 2 of 2");
  await expect(studio.generate).toHaveText(/^Generate/);
  await page.reload();
  await expect(studio.runs).toHaveCount(1);
  await expect(studio.readout).toContainText("of 2");
  await broken.getByRole("button", { name: "Delete it" }).click();
  await expect(broken).toHaveCount(0);
  expect(studio.faults).toEqual([]);
});

test("a part that did not come can be had by reloading the page", async ({ page }) => {
  const studio = new StudioPage(page);
  await page.route("**/SheetDialog-*.js", (route) => route.abort());
  await studio.open({ backend: "wasm" });
  await page.keyboard.press("m");
  const missing = page.locator("[data-code=part]");
  await expect(missing).toContainText("The shelf of models cannot be shown");
  await page.unroute("**/SheetDialog-*.js");
  await missing.getByRole("button", { name: "Reload the page" }).click();
  await expect(missing).toHaveCount(0);
  await expect(studio.stage).toBeVisible();
  await page.keyboard.press("m");
  await expect(page.getByRole("dialog", { name: "Models" })).toBeVisible();
});

test("what another program takes out of the page comes back, without a word", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm" });
  await studio.time.press("End");
  const text = await studio.stage.textContent();
  await page.evaluate(() => {
    for (const token of document.querySelectorAll("[role=option]")) token.replaceWith(token.textContent ?? "");
    document.querySelector("[part=readout] b")?.remove();
  });
  await studio.time.press("Home");
  await expect(studio.readout).toContainText("step 0 of");
  await studio.time.press("End");
  await expect(studio.stage).toHaveText(text ?? "");
  await expect(page.locator("[data-code=part]")).toHaveCount(0);
  expect(studio.faults).toEqual([]);
});
