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
