/** What people bring along to `<elf-playground>`: larger type, other directions, fingers, no network. Numbers as in docs/embed.md. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { chromium, expect, type Locator, type Page, test } from "@playwright/test";
import { transformWithOxc } from "vite";
import type {} from "../../src/embed/main";
import { EmbedHost } from "./embed-host";
import { heldBack } from "./held-back";

let host: EmbedHost;
test.beforeAll(async () => {
  host = await EmbedHost.start();
});
test.afterAll(() => host.stop());

const STORIES = '<elf-playground trace="/traces/stories.json" controls="all">Text</elf-playground>';

const boxOf = async (locator: Locator) => (await locator.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };

/** Elements in the box of a figure whose text is cut off, or stands outside of it. */
async function cutOff(page: Page): Promise<string[]> {
  return page.locator("elf-playground").evaluate((element) => {
    const figure = element.shadowRoot?.querySelector(".figure");
    const box = element.getBoundingClientRect();
    const views = [...(figure?.querySelectorAll<HTMLElement>("button, [part=readout], .figure-work") ?? [])];
    return views
      .filter((view) => view.checkVisibility())
      .filter((view) => {
        const { left, right, bottom, width } = view.getBoundingClientRect();
        const isOutside = left < box.left - 1 || right > box.right + 1 || bottom > box.bottom + 1;
        return isOutside || view.scrollWidth > Math.ceil(width) + 1;
      })
      .map((view) => `${view.className}: ${view.textContent}`);
  });
}

test("11: type twice as large is followed, and nothing is cut off by it", async ({ page }) => {
  // A person who has told the browser so has a root of 32 pixels; a page that counts by ten has one of ten.
  const sizes = async () =>
    page.locator("elf-playground").evaluate((element) => {
      const size = (selector: string) =>
        Number.parseFloat(getComputedStyle(element.shadowRoot?.querySelector(selector) as Element).fontSize);
      return [size("[role=option]"), size("[part=readout] span"), size("[role=radio]")];
    });
  await page.goto(host.page("type", STORIES, {}));
  await expect(page.getByTestId("readout")).toBeVisible();
  const usual = await sizes();
  expect(await cutOff(page)).toEqual([]);

  await page.addStyleTag({ content: "html { font-size: 200%; } elf-playground { height: 700px; }" });
  expect(await sizes()).toEqual(usual.map((size) => 2 * size));
  expect(await cutOff(page)).toEqual([]);
  // Lines do not run into each other, and there is some text to be seen.
  const room = await boxOf(page.locator("[part=text]"));
  expect(room.height).toBeGreaterThan(100);
  const { violations } = await new AxeBuilder({ page }).include("elf-playground").analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target)}`)).toEqual([]);

  await page.addStyleTag({ content: "html { font-size: 10px !important; }" });
  expect(await sizes()).toEqual(usual);
  // Or as the page itself wants it.
  await page.addStyleTag({ content: "elf-playground { --type-unit: 20px; }" });
  expect((await sizes())[0]).toBeCloseTo(1.25 * (usual[0] ?? 0));
});

test("23: from right to left the box is mirrored; time and texts keep their own direction", async ({ page }) => {
  const table = readFileSync(join(import.meta.dirname, "hebrew.ts"), "utf8");
  host.script("/hebrew.js", (await transformWithOxc(table, "hebrew.ts")).code);
  host.script(
    "/speak.js",
    'import { configure } from "/embed/elf-playground.js"; import { HEBREW } from "/hebrew.js"; configure({ words: { he: HEBREW } });',
  );
  const body = STORIES.replace("<elf-playground", '<elf-playground lang="he" dir="rtl" model="tiny-model"');
  await page.goto(host.page("hebrew", body, undefined, "/speak.js"));
  const figure = page.locator("elf-playground");
  await expect(figure.getByTestId("readout")).toContainText("צעד 32 מתוך 32");
  const box = await boxOf(figure);
  const middle = box.x + box.width / 2;

  // The choice of reading begins at the right, the readout stands at the left, the button of what is written at the right.
  const [holds, expects] = await Promise.all(
    ["מה שיש בו", "מה שהוא מצפה לו"].map((name) => boxOf(figure.getByRole("radio", { name }))),
  );
  expect(holds?.x).toBeGreaterThan(expects?.x ?? 0);
  expect((await boxOf(figure.getByTestId("readout"))).x).toBeLessThan(middle);
  expect((await boxOf(figure.getByRole("button", { name: "לכתוב" }))).x).toBeLessThan(box.x + box.width);
  expect(await cutOff(page)).toEqual([]);

  // Time runs as it does in formulas.
  const slider = figure.getByRole("slider");
  await slider.press("Home");
  const start = await boxOf(slider);
  await slider.press("ArrowRight");
  await expect(figure.getByTestId("readout")).toContainText("צעד 1 מתוך 32");
  await slider.press("End");
  expect((await boxOf(slider)).x).toBeGreaterThan(start.x + 100);

  // An English text reads as English does, and the arrows go through it so; through the choice they go as it lies.
  const words = figure.getByRole("option");
  expect((await boxOf(words.nth(1))).x).toBeGreaterThan((await boxOf(words.nth(0))).x);
  await words.nth(0).focus();
  await page.keyboard.press("ArrowRight");
  await expect(words.nth(1)).toBeFocused();
  await page.keyboard.press("Escape");
  await figure.getByRole("radio", { name: "מה שיש בו" }).focus();
  await page.keyboard.press("ArrowLeft");
  await expect(figure.getByRole("radio", { name: "מה שהוא מצפה לו" })).toBeFocused();
});

test("10: a page's own words while a run comes, in a slot of their own", async ({ page }) => {
  const arrive = await heldBack(page, "**/traces/stories.json");
  await page.goto(host.page("loading", STORIES.replace("Text", 'Text<span slot="loading">One moment</span>')));
  await expect(page.getByText("One moment")).toBeVisible();
  await expect(page.getByText("The recorded run is on its way.")).toBeHidden();
  arrive();
  await expect(page.getByTestId("readout")).toBeVisible();
  await expect(page.getByText("One moment")).toBeHidden();
});

test.describe("with a finger", () => {
  test.use({ hasTouch: true, viewport: { width: 400, height: 700 } });

  test("32: a swipe up or down over it scrolls the page, one along its track seeks", async ({ page }) => {
    await page.goto(host.page("touch", `<p>Before</p>${STORIES}<div id="far"></div>`, {}));
    await page.addStyleTag({ content: "body { width: auto; } #far { height: 3000px; }" });
    const figure = page.locator("elf-playground");
    await expect(figure.getByTestId("readout")).toContainText("step 32 of 32");
    const session = await page.context().newCDPSession(page);
    /** A finger's way from one point to another, in steps as a screen tells of them. */
    const swipe = async (from: { x: number; y: number }, by: { x: number; y: number }) => {
      const at = (share: number) => [{ x: from.x + share * by.x, y: from.y + share * by.y }];
      await session.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: at(0) });
      for (let i = 1; i <= 10; i++) {
        await session.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: at(i / 10) });
      }
      await session.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    };
    /** A page goes on of itself after a finger, by a wheel's worth or two: it stands only once `scrollend` has said so. */
    const scrolled = () =>
      page.evaluate(
        () =>
          new Promise<number>((stood) => {
            document.addEventListener("scrollend", () => stood(scrollY), { once: true });
          }),
      );
    const toTheTop = async () => {
      const stood = scrolled();
      await page.evaluate(() => scrollTo(0, 0));
      expect(await stood).toBe(0);
    };
    const track = await boxOf(figure.getByRole("slider").locator(".."));
    const text = await boxOf(figure.locator("[role=listbox]"));
    for (const from of [
      { x: track.x + track.width / 2, y: track.y + 2 },
      { x: text.x + 60, y: text.y + 20 },
    ]) {
      const stood = scrolled();
      await swipe(from, { x: 0, y: -250 });
      expect(await stood).toBeGreaterThan(100);
      await toTheTop();
    }

    await swipe({ x: track.x + track.width - 4, y: track.y + 2 }, { x: 8 - track.width, y: 3 });
    await expect(figure.getByTestId("readout")).toContainText("step 0 of 32");
    expect(await page.evaluate(() => scrollY)).toBe(0);
  });
});

test("28: what was fetched once needs no network, and no service worker", async () => {
  host.caching = "max-age=3600";
  // With a cache on disk, as people have one: that of a private window holds no file as large as the runtime.
  const folder = mkdtempSync(join(tmpdir(), "elf-offline-"));
  const { launchOptions } = test.info().project.use;
  const context = await chromium.launchPersistentContext(folder, launchOptions);
  const page = await context.newPage();
  const address = host.page("offline", STORIES.replace("<elf-playground", '<elf-playground model="tiny-model"'));
  const write = () =>
    page
      .locator("elf-playground")
      .evaluate((element: HTMLElementTagNameMap["elf-playground"]) =>
        element.generate({ seed: 1, settings: { steps: 2 } }).then(({ status, text }) => [status, text]),
      );
  await page.goto(address);
  await expect(page.getByTestId("readout")).toBeVisible();
  const first = await write();
  expect(first[0]).toBe("done");
  await page.goto("about:blank");

  await context.setOffline(true);
  host.asked.length = 0;
  await page.goto(address);
  await expect(page.getByTestId("readout")).toContainText("step 32 of 32");
  expect(await write()).toEqual(first);
  expect(host.asked).toEqual([]);
  expect(await page.evaluate(() => navigator.serviceWorker?.controller ?? null)).toBeNull();
  await context.close();
  rmSync(folder, { recursive: true, force: true });
  host.caching = "no-cache";
});
