import { gzipSync } from "node:zlib";
import { expect, type Locator, test } from "@playwright/test";
import { StudioPage } from "./studio-page";

/** Bytes of the page's scripts before anything is pressed, packed by gzip. */
const MOST_SCRIPT = 200_000;

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

  // What is opened by a press comes with that press.
  const scripts = [...new Set(fetched.filter((url) => /\.m?js$/.test(new URL(url).pathname)))];
  const texts = await Promise.all(scripts.map(async (url) => (await page.request.get(url)).body()));
  const packed = texts.reduce((bytes, text) => bytes + gzipSync(text, { level: 9 }).length, 0);
  expect(packed, `${scripts.length} scripts before anything is pressed`).toBeLessThanOrEqual(MOST_SCRIPT);

  // Whatever part of the page a style sheet was built for, it puts no layer over another than the page does.
  const layers = await page.evaluate(() =>
    [...document.styleSheets].map(({ cssRules: [first] }) =>
      first instanceof CSSLayerStatementRule ? first.nameList.join() : first?.cssText,
    ),
  );
  expect(new Set(layers)).toEqual(new Set(["base,player,studio"]));

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
  // Until the model's manifest is there, the settings are nobody's own.
  await expect(page.getByRole("textbox", { name: "Steps" })).toHaveValue("64");
  await studio.set("Steps", 24);
  await studio.time.focus();
  await page.keyboard.press("Control+z");
  await expect(page.getByTestId("notice")).toHaveText("Steps back to 64.");
  await expect(page.getByRole("textbox", { name: "Steps" })).toHaveValue("64");
  await page.keyboard.press("Control+Shift+z");
  await expect(page.getByTestId("notice")).toHaveText("Steps again 24.");
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

test("a print has the text and what wrote it, in ink, and nothing to press", async ({ page }) => {
  const studio = new StudioPage(page);
  await page.emulateMedia({ media: "print", colorScheme: "dark", reducedMotion: "reduce" });
  await page.goto("?experiment=guidance");
  await expect(studio.stage).toBeVisible();
  const note = page.getByTestId("printed");
  await expect(note).toContainText(/Stories · 32 steps SDE γ 3 .* seed \d+ · t = \d\.\d\d, step \d+ of 32/);
  await expect(note).toContainText("/?model=stories#run=");
  await expect(page.locator("button:visible, input:visible, textarea:visible")).toHaveCount(0);
  expect(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)).toBe("light");
  await page.emulateMedia({ media: "screen" });
  await expect(note).toBeHidden();
  await expect(studio.generate).toBeVisible();
});

test("on a phone the text and its time come first, and the prompt is a bar that opens", async ({ page }) => {
  const studio = new StudioPage(page);
  const boxOf = async (locator: Locator) => {
    const box = await locator.boundingBox();
    if (!box) throw new Error("It is not laid out.");
    return { ...box, end: box.y + box.height };
  };
  await page.setViewportSize({ width: 390, height: 844 });
  await studio.open({});
  await expect(studio.readout).toBeVisible();
  const bar = page.getByTestId("prompt-bar");
  const dock = await boxOf(bar);
  expect((await boxOf(studio.stage)).y).toBeLessThan(250);
  expect((await boxOf(studio.readout)).end, "time is on the first screen").toBeLessThan(dock.y);
  expect((await boxOf(studio.generate)).y).toBe(dock.y);

  const box = page.getByTestId("prompt");
  await expect(box).toBeHidden();
  await bar.click();
  await expect(box).toBeFocused();
  await page.getByRole("button", { name: "Lily and her mom went to the beach." }).click();
  await page.keyboard.press("Escape");
  await expect(box).toBeHidden();
  await expect(bar).toContainText("Lily and her mom");

  // A laptop at 200 %: text first there, too, and one row for the rest.
  await page.setViewportSize({ width: 640, height: 400 });
  await page.evaluate(() => scrollTo(0, 0));
  expect((await boxOf(studio.stage)).y).toBeLessThan(250);
  expect((await boxOf(bar)).y).toBeGreaterThan(280);
  await page.setViewportSize({ width: 1280, height: 800 });
  await expect(bar).toBeHidden();
  await expect(box).toBeVisible();
  expect(studio.faults).toEqual([]);
});
