import { expect, type Locator, type Page, test } from "@playwright/test";
import { violations } from "./axe";
import { heldBack } from "./held-back";
import { startEndlessRun, writeFew } from "./runs";
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

test("where the system forces its colours, what is chosen and how far it is are told by them", async ({ page }) => {
  await page.emulateMedia({ forcedColors: "active", reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({});
  await expect(studio.readout).toContainText("t = 1.00", { timeout: 30_000 });
  await studio.time.press("ArrowLeft");
  const groundOf = (locator: Locator) => locator.evaluate((element) => getComputedStyle(element).backgroundColor);
  const [highlight, grey] = await page.evaluate(() => {
    const probe = document.body.appendChild(document.createElement("i"));
    const colours = ["Highlight", "GrayText"].map((name) => {
      probe.style.backgroundColor = name;
      return getComputedStyle(probe).backgroundColor;
    });
    probe.remove();
    return colours;
  });
  const choice = page.getByRole("radiogroup", { name: "Method" });
  expect(await groundOf(choice.getByRole("radio", { checked: true }))).toBe(highlight);
  expect(await groundOf(choice.getByRole("radio", { checked: false }))).not.toBe(highlight);
  expect(await groundOf(studio.runs.first().getByRole("button", { pressed: true }).first())).toBe(highlight);
  const rail = studio.time.locator("xpath=..");
  expect([await groundOf(rail), await groundOf(rail.locator("> div").nth(1))]).toEqual([grey, highlight]);
  const slider = page.getByRole("slider", { name: "Steps" }).locator("xpath=../..").locator("> span").first();
  expect([await groundOf(slider), await groundOf(slider.locator("> span"))]).toEqual([grey, highlight]);
  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Find a command" });
  await expect(palette.getByRole("option", { selected: true })).toHaveCSS("outline-style", "solid");
});

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
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
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

/** The delete button of a card, and the button that takes a deletion back, on a shelf of two runs. */
async function shelfOfTwo(page: Page) {
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await writeFew(studio, 2);
  await studio.set("Seed", 5);
  await writeFew(studio, 2);
  await expect(studio.runs).toHaveCount(2);
  const remove = (card: number) => studio.runs.nth(card).getByRole("button", { name: /^Delete the run/ });
  return { studio, remove, undo: page.getByRole("button", { name: "Undo" }) };
}

test("a run is deleted and brought back by the keyboard, which stays at the shelf", async ({ page }) => {
  const { studio, remove, undo } = await shelfOfTwo(page);
  await remove(1).press("Enter");
  await expect(studio.runs).toHaveCount(1);
  await expect(undo).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(undo).toHaveCount(0);
  await expect(studio.runs).toHaveCount(2);
  await expect(studio.runs.nth(1).getByRole("button").first()).toBeFocused();

  // Under a pointer the page stays where it is.
  const scrolled = () => page.evaluate(() => [scrollX, scrollY]);
  await remove(0).scrollIntoViewIfNeeded();
  const before = await scrolled();
  await remove(0).click();
  await expect(undo).toBeVisible();
  expect(await scrolled()).toEqual(before);
  expect(studio.faults).toEqual([]);
});

test(
  "a deletion can be taken back for as long as the focus is there, and leaves who has gone on alone",
  slow("waits twice as long as a deletion stands"),
  async ({ page }) => {
    const { studio, remove, undo } = await shelfOfTwo(page);
    await remove(1).press("Enter");
    await expect(undo).toBeFocused();
    await page.waitForTimeout(9000);
    await expect(undo).toBeFocused();
    await studio.time.focus();
    await expect(undo).toHaveCount(0, { timeout: 15_000 });
    await expect(studio.time).toBeFocused();
    expect(studio.faults).toEqual([]);
  },
);

test("the keyboard goes on at Generate when Cancel goes", async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm" });
  await startEndlessRun(studio);
  await studio.cancel.press("Enter");
  await expect(studio.cancel).toHaveCount(0);
  await expect(studio.generate).toBeFocused();

  // Under a pointer space plays the run, as it did before.
  await studio.generate.click();
  await studio.cancel.click();
  await expect(studio.cancel).toHaveCount(0);
  await expect(studio.generate).not.toBeFocused();
  expect(studio.faults).toEqual([]);
});

test("a palette finds everything that can be done, and the keyboard is where it was before", async ({ page }) => {
  const studio = new StudioPage(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await studio.open({});
  await expect(studio.readout).toContainText("t = 1.00", { timeout: 30_000 });
  const palette = page.getByRole("dialog", { name: "Find a command" });
  const field = palette.getByRole("combobox");
  const chosen = palette.getByRole("option", { selected: true });

  // On a phone the help leads there.
  await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
  await page.getByRole("dialog", { name: "Keyboard" }).getByRole("button", { name: "Find a command" }).click();
  await expect(field).toBeFocused();
  await expect(palette.getByRole("option", { name: /^Cancel/ })).toContainText("Nothing is being written.");
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    expect(await violations(page), colorScheme).toEqual([]);
  }
  await page.keyboard.press("Escape");
  await expect(palette).toBeHidden();

  await page.setViewportSize({ width: 1280, height: 900 });
  await studio.time.focus();
  await page.keyboard.press("Control+k");
  await field.fill("back noise");
  await expect(chosen).toContainText("Back to pure noise");
  await expect(field).toHaveAttribute("aria-activedescendant", (await chosen.getAttribute("id")) ?? "none");
  await page.keyboard.press("Enter");
  await expect(studio.readout).toContainText("t = 0.00");
  await expect(studio.time).toBeFocused();

  await page.keyboard.press("Control+k");
  await field.fill("turn to");
  await expect(palette.getByRole("option", { name: "Turn to Stories It is" })).toHaveAttribute("aria-disabled", "true");
  await palette.getByRole("option", { name: "Turn to German → English" }).click();
  await expect(palette).toBeHidden();
  await expect(studio.chip).toContainText("German → English");
  expect(studio.faults).toEqual([]);
});

for (const [name, keys, script, title] of [
  ["a palette", "Control+k", "**/Palette-*.js", "Find a command"],
  ["a sheet", "?", "**/SheetDialog-*.js", "Keyboard"],
] as const) {
  test(`what is typed for ${name} that has not come yet does nothing on the page`, async ({ page }) => {
    const studio = new StudioPage(page);
    const arrive = await heldBack(page, script);
    await studio.open({ backend: "wasm" });
    await startEndlessRun(studio);
    await studio.time.focus();
    const html = page.locator("html");
    const theme = await html.getAttribute("data-theme");
    const opened = page.getByRole("dialog");

    await page.keyboard.press(keys);
    await page.keyboard.type("gtmu");
    await page.keyboard.press("Control+Enter");
    await page.keyboard.press("Escape");
    const came = page.waitForResponse(script);
    arrive();
    await came;
    await expect(opened).toHaveCount(0);
    await page.keyboard.press(keys);
    await expect(opened).toHaveAccessibleName(title);
    await expect(html).toHaveAttribute("data-theme", theme ?? "");
    await expect(studio.runs).toHaveCount(2);
    await expect(studio.runs.first()).toContainText("Writing, step");
    expect(studio.faults).toEqual([]);
  });
}
