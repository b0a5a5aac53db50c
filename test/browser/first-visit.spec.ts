import { expect, test } from "@playwright/test";
import { StudioPage } from "./studio-page";

test("a recorded run plays at once, before any weights are fetched", async ({ page }) => {
  const fetched: string[] = [];
  page.on("request", (request) => fetched.push(request.url()));
  const studio = new StudioPage(page);
  await studio.open({});
  await expect(studio.stage).toBeVisible({ timeout: 5_000 });
  await expect(studio.runs.first()).toContainText(/recorded/i);
  await expect(studio.readout).toContainText("t = 1.00", { timeout: 30_000 });
  expect(await studio.stage.textContent()).toMatch(/\w+ \w+ \w+/);
  expect(fetched.filter((url) => /weights|\.onnx|\.wasm/.test(url))).toEqual([]);
  const own = new URL(page.url()).origin;
  expect(fetched.filter((url) => !url.startsWith(own) && !url.startsWith("data:"))).toEqual([]);
  expect(studio.faults).toEqual([]);

  // A word is blurred as long as it is open: none of the text is, though the model is not sure of all; some of the noise are.
  const blurred = studio.stage.locator('[style*="blur"]');
  await expect(blurred).toHaveCount(0);
  await studio.time.press("Home");
  await expect(studio.readout).toContainText("t = 0.00");
  await expect(blurred.first()).toBeVisible();
});

test("settings survive a reload, and silly numbers are refused beside their field", async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open({});
  await studio.set("Steps", 24);
  await page.reload();
  await expect(page.getByRole("textbox", { name: "Steps" })).toHaveValue("24");
  await studio.set("Steps", -3);
  await expect(page.getByRole("textbox", { name: "Steps" })).toHaveAttribute("aria-invalid", "true");
  await expect(studio.generate).toHaveAttribute("aria-disabled", "true");
});

test("nothing scrolls sideways on a phone, in either theme", async ({ page }) => {
  const studio = new StudioPage(page);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [360, 390, 768, 1440]) {
      await page.setViewportSize({ width, height: 800 });
      await studio.open({});
      await expect(studio.stage).toBeVisible();
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(over, `${colorScheme}, ${width} px`).toBeLessThanOrEqual(0);
    }
  }
});
