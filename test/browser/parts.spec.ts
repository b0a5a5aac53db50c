import { expect, type Page, test } from "@playwright/test";
import { StudioPage } from "./studio-page";

/** Puts a run on the shelf of earlier visits that no version of this page has ever written. */
async function keepBrokenRun(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const request = indexedDB.open("elf-playground");
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const run = {
      id: "broken",
      startedAt: 5,
      origin: "generated",
      status: "done",
      pieces: [],
      text: "",
      trajectory: {},
    };
    const writing = database.transaction("runs", "readwrite");
    writing.objectStore("runs").put(run);
    await new Promise((resolve) => {
      writing.oncomplete = resolve;
    });
    database.close();
  });
}

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
