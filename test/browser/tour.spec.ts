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
  await tour.getByRole("button", { name: "Done" }).click();
  await expect(tour).toHaveCount(0);
  expect(studio.faults).toEqual([]);
});
