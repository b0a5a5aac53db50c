import { expect, test } from "@playwright/test";
import { violations } from "./axe";
import { slow } from "./slow";
import { StudioPage } from "./studio-page";

for (const colorScheme of ["light", "dark"] as const) {
  test(
    `nothing stands in anybody's way, ${colorScheme}`,
    colorScheme === "dark" ? slow("looked at four times more") : {},
    async ({ page }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const studio = new StudioPage(page);
      await studio.open({});
      await expect(studio.readout).toContainText("t = 1.00", { timeout: 30_000 });
      expect(await violations(page)).toEqual([]);

      await studio.time.press("Home");
      await studio.time.press("ArrowRight");
      expect(await violations(page), "while hardly a word is decided").toEqual([]);

      await page.setViewportSize({ width: 390, height: 844 });
      expect(await violations(page), "on a phone").toEqual([]);

      await page.keyboard.press("?");
      await expect(page.getByRole("dialog")).toBeVisible();
      expect(await violations(page), "with the list of shortcuts open").toEqual([]);
    },
  );
}

test("a legend is one press away, draws the marks as the stage does, and gives the keyboard back", async ({ page }) => {
  const studio = new StudioPage(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await studio.open({});
  await expect(studio.readout).toContainText("t = 1.00", { timeout: 30_000 });
  const legend = page.getByRole("dialog", { name: "What the marks mean" });
  const button = page.getByRole("button", { name: "What the marks mean" });
  await button.press("Enter");
  await expect(legend).toContainText(/violet.*blurred.*orange.*grey/is);
  const word = (await studio.stage.getByRole("option").first().getAttribute("class"))?.split(" ")[0] ?? "";
  await expect(legend.locator(`.${word}`)).toHaveCount(9);
  expect(await legend.locator('[style*="blur"]').count()).toBe(1);
  const changed = legend.locator("dt", { hasText: "Just changed" }).locator(`.${word}`);
  await expect(changed).not.toHaveCSS("background-color", "rgba(0, 0, 0, 0)");
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page), colorScheme).toEqual([]);
  }
  await page.keyboard.press("Escape");
  await expect(legend).toBeHidden();
  await expect(button).toBeFocused();
  await page.keyboard.press("k");
  await expect(legend).toBeVisible();
  await button.click();
  await expect(legend).toBeHidden();

  await page.keyboard.press("?");
  await page.getByText("What the marks in the text mean", { exact: true }).click();
  await expect(page.getByRole("dialog", { name: "Keyboard" }).locator(`.${word}`)).toHaveCount(9);
  expect(studio.faults).toEqual([]);
});
