/** `<elf-playground>` in other people's pages. The numbers are those of the points in docs/embed.md. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page, test } from "@playwright/test";
import type {} from "../../src/embed/main";
import { EmbedHost } from "./embed-host";

/** What the script that pages name may weigh, packed, with all that it fetches at once. */
const MOST_BYTES = 60_000;

let host: EmbedHost;
let faults: string[] = [];
test.beforeAll(async () => {
  host = await EmbedHost.start();
});
test.afterAll(() => host.stop());
test.beforeEach(({ page }) => {
  faults = [];
  host.asked.length = 0;
  page.on("pageerror", ({ message }) => faults.push(message));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
});

/** Moves of the page's layout, as the browser counts them. */
async function shift(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const seen = new PerformanceObserver((list) => {
          const entries = list.getEntries() as (PerformanceEntry & { value: number })[];
          resolve(entries.reduce((sum, { value }) => sum + value, 0));
        });
        seen.observe({ type: "layout-shift", buffered: true });
        setTimeout(() => resolve(0), 200);
      }),
  );
}

test("2: the script weighs no more than it may, and brings no part of the engine along", () => {
  const script = readFileSync(join(import.meta.dirname, "../../dist/embed/elf-playground.js"));
  const bytes = gzipSync(script, { level: 9 }).length;
  test.info().annotations.push({ type: "kB gz", description: (bytes / 1000).toFixed(1) });
  expect(bytes).toBeLessThanOrEqual(MOST_BYTES);
  expect(script.toString()).not.toMatch(/^import\s*[{*"']|from"\.\//m);
});

test("1, 4, 9, 11, 15, 24, 31: the text stands there first, then its run, under a strict policy, and nothing moves", async ({
  page,
}) => {
  const body = `<p id="before">Before</p>
    <elf-playground trace="/traces/stories.json" controls="play scrub reading speed"><p>The mom put the bag.</p></elf-playground><p id="after">After</p>`;
  const address = host.page("first", body);
  // Before any script, and without one: the text of the trace.
  await page.route("**/elf-playground.js", (route) => route.abort());
  await page.goto(address);
  await expect(page.getByText("The mom put the bag.")).toBeVisible();
  const box = await page.locator("elf-playground").boundingBox();
  const after = await page.locator("#after").boundingBox();
  await page.unrouteAll();
  faults.length = 0;

  await page.goto(address);
  const figure = page.locator("elf-playground");
  await expect(figure.getByTestId("readout")).toContainText("step 32 of 32");
  await expect(page.getByText("The mom put the bag.")).toBeHidden();
  expect(await figure.boundingBox()).toEqual(box);
  expect(await page.locator("#after").boundingBox()).toEqual(after);
  const waited = await page.evaluate(() => {
    const [script] = performance.getEntriesByName(new URL("/embed/elf-playground.js", location.href).href);
    const [trace] = performance.getEntriesByName(new URL("/traces/stories.json", location.href).href);
    const ends = [script, trace].map(
      (entry) => (entry as PerformanceResourceTiming | undefined)?.responseEnd ?? Number.NaN,
    );
    return (ends[1] ?? 0) - (ends[0] ?? 0);
  });
  test.info().annotations.push({ type: "ms from the script to its trace", description: waited.toFixed(0) });
  expect(host.asked.filter((path) => /worker|wasm|models|engine/.test(path))).toEqual([]);

  expect(await shift(page)).toBe(0);

  // It plays to its end; the keyboard goes where it is led, and nowhere by itself.
  expect(await page.evaluate(() => [document.activeElement?.tagName, scrollY])).toEqual(["BODY", 0]);
  await figure.getByRole("radio", { name: "4×" }).click();
  await figure.getByRole("button", { name: "Play" }).click();
  await expect(figure.getByTestId("readout")).toContainText("step 32 of 32");
  await figure.getByRole("slider").press("Home");
  await figure.getByRole("slider").press("ArrowRight");
  await expect(figure.getByTestId("readout")).toContainText("step 1 of 32");
  // The words of a text that changes take other places; those of the page around do not.
  expect(await page.locator("#after").boundingBox()).toEqual(after);

  // A page's tastes end at its root.
  const taste = await figure.getByRole("radio", { name: "What it holds" }).evaluate((choice) => {
    const { textTransform, letterSpacing } = getComputedStyle(choice);
    return [textTransform, letterSpacing];
  });
  expect(taste).toEqual(["none", "normal"]);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations } = await new AxeBuilder({ page }).include("elf-playground").analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target)}`)).toEqual([]);
  }
  await expect(figure.getByText("Plays start, middle and end")).toBeVisible();

  await page.emulateMedia({ media: "print" });
  await expect(figure.getByTestId("stage-text")).toBeVisible();
  await expect(figure.getByRole("slider")).toBeHidden();
  expect(faults).toEqual([]);
});
