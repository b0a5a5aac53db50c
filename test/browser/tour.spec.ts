import { expect, test } from "@playwright/test";
import { violations } from "./axe";
import { StudioPage } from "./studio-page";

test("the tour is led by keyboard over the live page, and goes on after a reload", async ({ page }) => {
  const studio = new StudioPage(page);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await studio.open({});
  await expect(studio.readout).toContainText("t = 1.00");
  await page.keyboard.press("j");
  const tour = page.getByTestId("tour");
  await expect(tour).toContainText("1 of 7");
  await expect(studio.readout).toContainText("t = 0.00");
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press("Enter");
  await expect(tour).toContainText("One step");
  // Whoever is led takes hold of the page.
  await page.getByRole("button", { name: "Step forward" }).click();
  await expect(studio.readout).toContainText("step 2 of 32");
  await tour.getByRole("button", { name: "Next" }).click();
  // The stop has the same name.
  await expect(page.locator("[data-lens=schedule]")).toBeVisible();
  await tour.getByRole("button", { name: "Back" }).click();
  await expect(tour).toContainText("2 of 7");
  await page.keyboard.press("Escape");
  await expect(tour).toHaveCount(0);

  await page.reload();
  await expect(studio.readout).toContainText("t = 1.00");
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole("button", { name: "Tour" }).click();
  await expect(tour).toContainText("2 of 7");
  expect(await violations(page)).toEqual([]);
  for (let stop = 2; stop < 7; stop++) await tour.getByRole("button", { name: "Next" }).click();
  await expect(tour).toContainText("7 of 7");
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(over).toBeLessThanOrEqual(0);
  // As at 400 %: a window of a few lines. All of a stop is reached, and nothing the keyboard comes to is under the dock.
  await page.setViewportSize({ width: 320, height: 256 });
  const top = () => tour.evaluate((card) => card.getBoundingClientRect().top);
  expect(await top()).toBeGreaterThanOrEqual(0);
  expect(await tour.evaluate((card) => card.scrollHeight - card.clientHeight)).toBeGreaterThan(0);
  await expect(tour).toHaveCSS("overflow-y", "auto");
  await tour.getByRole("button", { name: "Done" }).click();
  await expect(tour).toHaveCount(0);
  const dock = page.getByTestId("generate");
  for (const name of ["Step back", "Play", "Step forward"]) {
    const button = page.getByRole("button", { name }).first();
    await button.evaluate((element) => scrollBy(0, element.getBoundingClientRect().bottom - innerHeight + 4));
    await button.focus();
    const [its, docks] = [await button.boundingBox(), await dock.boundingBox()];
    expect((its?.y ?? 0) + (its?.height ?? 0), name).toBeLessThanOrEqual(docks?.y ?? 0);
  }
  expect(studio.faults).toEqual([]);
});
