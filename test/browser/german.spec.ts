import { expect, test } from "@playwright/test";
import { violations } from "./axe";
import { slow } from "./slow";
import { StudioPage } from "./studio-page";

test.use({ locale: "de-DE" });

test("a German browser has a German page from the first words on, which writes, and turns to English by keyboard", async ({
  page,
}) => {
  const studio = new StudioPage(page);
  const html = page.locator("html");
  // However late the words come, nobody sees others.
  let come = () => {};
  const held = new Promise<void>((resolve) => {
    come = resolve;
  });
  await page.route(/\/german-[^/]*\.js$/, async (route) => {
    await held;
    await route.continue();
  });
  await page.goto("?model=stories-fast");
  await expect(html).toHaveAttribute("data-theme", "system");
  await expect(page.getByTestId("run-card")).toHaveCount(0);
  expect(await page.locator("#root").innerText()).not.toMatch(/Generate|Runs|Settings/);
  come();
  await expect(studio.generate).toHaveText(/^Erzeugen/);
  await expect(html).toHaveAttribute("lang", "de");
  await expect(page).toHaveTitle(/Rauschen/);
  await expect(studio.readout).toContainText(/t = \d,\d\d\s*Schritt \d+ von \d+/);
  await expect(studio.stage.getByRole("option").first()).toHaveAttribute("lang", "en");
  await expect(studio.runs.first()).toContainText("Aufgezeichnet");

  // A number is typed as German writes it, and one that is none is refused in German.
  const steps = page.getByRole("textbox", { name: "Schritte" });
  await steps.fill("0");
  await expect(page.getByText("Möglich ist eine ganze Zahl von 1 bis 1024.")).toBeVisible();
  await steps.fill("4");
  const w = page.getByRole("textbox", { name: /^Self-Conditioning/ });
  await w.fill("0,");
  await w.press("Tab");
  await expect(w).toHaveValue("0,");
  await w.fill("1,5");
  await expect(w).toHaveAttribute("aria-invalid", "false");

  await studio.generate.click();
  await expect(studio.runs).toHaveCount(2);
  await expect(studio.generate).toHaveText(/^Erzeugen/);
  await expect(studio.runs.first()).toContainText(/\d s · WASM.*4 Schritte .*w 1,5/);
  const written = await studio.stage.textContent();

  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Befehl suchen" });
  await palette.getByRole("combobox").fill("english");
  await page.keyboard.press("Enter");
  await expect(palette).toBeHidden();
  await expect(html).toHaveAttribute("lang", "en");
  await expect(studio.generate).toHaveText(/^Generate/);
  // Nothing is lost by it.
  await expect(studio.stage).toHaveText(written ?? "");
  await expect(page.getByRole("textbox", { name: "Steps" })).toHaveValue("4");

  await page.reload();
  await expect(studio.generate).toHaveText(/^Generate/);
  await expect(html).toHaveAttribute("lang", "en");

  // And back, where the keys stand.
  await page.keyboard.press("?");
  const language = page.getByRole("radiogroup", { name: "Language" });
  await expect(language.getByRole("radio", { name: "English" })).toBeChecked();
  await language.getByRole("radio", { name: "English" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Space");
  await expect(page.getByRole("dialog", { name: "Tasten" })).toBeVisible();
  await expect(html).toHaveAttribute("lang", "de");
  expect(studio.faults).toEqual([]);
});

for (const width of [360, 390, 768, 1440]) {
  const details = width === 360 ? {} : slow("looked at where there is least room, and three times more");
  test(`German has room enough, and stands in nobody's way, ${width} px`, details, async ({ page }) => {
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: 844 });
    const studio = new StudioPage(page);
    await studio.open({});
    await expect(studio.readout).toContainText("t = 1,00");
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    expect(await violations(page)).toEqual([]);
    expect(studio.faults).toEqual([]);
  });
}

test("what opens over a German page has room enough", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.setViewportSize({ width: 390, height: 844 });
  const studio = new StudioPage(page);
  await studio.open({});
  for (const [key, name] of [
    ["?", "Tasten"],
    ["m", "Modelle"],
    ["o", "Experimente"],
    ["a", "Diesen Lauf sichern"],
  ] as const) {
    await page.keyboard.press(key);
    const dialog = page.getByRole("dialog", { name });
    await expect(dialog).toBeVisible();
    expect(await dialog.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth), name).toBe(0);
    await page.keyboard.press("Escape");
    await expect(dialog).toBeHidden();
  }
  expect(studio.faults).toEqual([]);
});

test("what goes wrong is named in German, and told in the English of the error", async ({ page }) => {
  await page.goto("?backend=abacus");
  const alert = page.getByRole("alert");
  await expect(alert).toContainText("Die Adresse dieser Seite ist nicht zu verstehen.");
  await expect(alert.locator('[lang="en"]').first()).toContainText("abacus");
  await alert.getByRole("button", { name: "Schließen" }).click();
  await expect(alert).toHaveCount(0);
});
