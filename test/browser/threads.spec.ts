import { expect, type Page, test } from "@playwright/test";
import { writeFew } from "./runs";
import { StudioPage } from "./studio-page";

/** A page whose worker believes in four cores and computes on half of them where it may share memory. */
async function openWithFourCores(page: Page): Promise<StudioPage> {
  page.on("worker", (worker) => {
    // A thread of its own may never answer, and need not.
    worker
      .evaluate(() => {
        Object.defineProperty(Object.getPrototypeOf(navigator), "hardwareConcurrency", { get: () => 4 });
      })
      .catch(() => {});
  });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await page.getByRole("button", { name: /Keep this seed/ }).click();
  await studio.set("Seed", 11);
  await writeFew(studio);
  return studio;
}

test("threads where the page is isolated, one without, and the same text", async ({ page, browser }) => {
  const isolated = await openWithFourCores(page);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await expect(isolated.chip).toContainText("WASM · 2 threads");

  const other = await (await browser.newContext()).newPage();
  await other.route("**/*", async (route) => {
    const response = await route.fetch();
    const headers = Object.fromEntries(
      Object.entries(response.headers()).filter(([name]) => !name.startsWith("cross-origin-")),
    );
    await route.fulfill({ response, headers });
  });
  const open = await openWithFourCores(other);
  expect(await other.evaluate(() => crossOriginIsolated)).toBe(false);
  await expect(open.chip).toContainText("WASM · 1 thread ");
  expect(await open.stage.textContent()).toBe(await isolated.stage.textContent());
  expect([...isolated.faults, ...open.faults]).toEqual([]);
});
