import { readFile } from "node:fs/promises";
import { expect, test } from "@playwright/test";
import { violations } from "./axe";
import { StudioPage } from "./studio-page";

test("lenses show the run, lead to the place that is pressed, and are kept as files that tell of it", async ({
  page,
}) => {
  const fetched: string[] = [];
  page.on("request", (request) => fetched.push(request.url()));
  const studio = new StudioPage(page);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.emulateMedia({ reducedMotion: "reduce" });
  await studio.open({});
  await expect(studio.readout).toContainText("t = 1.00", { timeout: 30_000 });
  expect(fetched.filter((url) => url.includes("LensView"))).toEqual([]);
  const pressed = (name: string) => page.getByRole("radio", { name, exact: true });
  const lens = (name: string) => page.getByRole("region", { name, exact: true });

  await pressed("Certainty").click();
  const map = lens("Certainty").getByRole("img");
  await expect(map).toHaveAccessibleName(
    /^Of \d+ words half have settled by step \d+, and the last settles at step \d+\. The middle half of them settles (in steps \d+ to|at step) \d+\.$/,
  );
  await expect(studio.stage, "the text stays in sight").toBeInViewport();

  // Rows are tokens, columns the 33 frames; the words beside take 92 pixels.
  const box = await map.boundingBox();
  if (!box) throw new Error("The map has no box.");
  const column = (box.width - 92) / 33;
  await map.click({ position: { x: 92 + 4.5 * column, y: 8 } });
  await expect(studio.readout).toContainText("step 4 of 32");
  await expect(page.getByRole("dialog", { name: "Alternatives at position 1" })).toBeVisible();
  expect(await violations(page)).toEqual([]);
  await page.locator("[part=text]").click({ position: { x: 8, y: 8 } });
  await expect(page.getByRole("dialog"), "a press beside the words puts the card away").toHaveCount(0);
  await page.keyboard.press("Escape");

  await lens("Certainty").getByRole("button", { name: "As a table" }).click();
  const table = lens("Certainty").getByRole("table");
  await expect(table.getByRole("columnheader").first()).toHaveText("position");
  expect(await table.getByRole("row").count()).toBeGreaterThan(20);
  expect(await violations(page), "with a table").toEqual([]);

  for (const kind of ["SVG", "PNG"]) {
    const saved = page.waitForEvent("download");
    await lens("Certainty")
      .getByRole("button", { name: `Save as ${kind}` })
      .click();
    const download = await saved;
    expect(download.suggestedFilename()).toBe(`stories-certainty.${kind.toLowerCase()}`);
    const file = await readFile(await download.path());
    const tells = /"lens":"certainty","recipe":"run=[^"]*seed:25\b/;
    expect(tells.test(file.toString("latin1").replaceAll("&quot;", '"')), `${kind} tells of its run`).toBe(true);
  }

  await lens("Certainty").getByRole("button", { name: "As a table" }).click();
  await page.keyboard.press("v");
  await expect(lens("Schedule").getByRole("img")).toHaveAccessibleName(/^Of 32 steps \d+ begin before t = 0\.4\./);
  await page.keyboard.press("v");
  await expect(lens("Numbers").getByRole("img")).toHaveAccessibleName(/mean entropy/);

  await page.setViewportSize({ width: 390, height: 844 });
  await expect(lens("Numbers").getByRole("img")).toBeVisible();
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(over).toBeLessThanOrEqual(0);
  expect(await violations(page), "on a phone").toEqual([]);
  await page.keyboard.press("v");
  await expect(page.locator("section[data-lens]")).toHaveAttribute("data-lens", "quality");
  await page.keyboard.press("v");
  await expect(page.locator("section[data-lens]")).toHaveCount(0);
  expect(studio.faults).toEqual([]);
});

test("a hundred runs like the one shown are counted beside it, and none of them is kept", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await studio.set("Steps", 3);
  await studio.write();
  const cards = await studio.runs.count();
  await page.getByRole("radio", { name: "Certainty", exact: true }).click();
  await page.getByRole("button", { name: "Count 100 runs like it" }).click();
  await expect(page.getByRole("button", { name: "Stop counting" })).toBeVisible();
  await studio.cancel.click();
  const rest = page.getByRole("button", { name: /^Count \d+ runs like it$/ });
  await rest.click();
  await expect(page.getByText("100 of 100 runs counted.")).toBeVisible();
  await expect(page.getByRole("region", { name: "Certainty" }).getByRole("img")).toHaveAccessibleName(
    /Of 100 runs like it the middle half (in steps \d+ to|at step) \d+ \(violet\)\.$/,
  );
  await expect(rest).toHaveCount(0);
  await expect(studio.runs).toHaveCount(cards);
  expect(await violations(page)).toEqual([]);
  expect(studio.faults).toEqual([]);
});

test("paths show where every token came from, and follow the one that is pressed", async ({ page }) => {
  const studio = new StudioPage(page);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.emulateMedia({ reducedMotion: "reduce" });
  await studio.open({});
  await expect(studio.readout).toContainText("t = 1.00", { timeout: 30_000 });
  await page.getByRole("radio", { name: "Paths", exact: true }).click();
  const lens = page.getByRole("region", { name: "Paths", exact: true });
  const picture = lens.getByRole("img");
  await expect(picture).toHaveAccessibleName(/^Step 32 of 32, t = 1\.00: \d+ of \d+ tokens are as good as decided\.$/);
  await lens.getByRole("button", { name: "As a table" }).click();
  const table = lens.getByRole("table");
  await expect(table.getByRole("columnheader")).toHaveText(["position", "word", "nats", "x", "y"]);
  expect(await violations(page)).toEqual([]);
  await lens.getByRole("button", { name: "As a table" }).click();

  // Where the tokens are is known from the picture that is kept: the second one is pressed.
  const saved = page.waitForEvent("download");
  await lens.getByRole("button", { name: "Save as SVG" }).click();
  const kept = await readFile(await (await saved).path(), "utf8");
  const [, width = 0] = kept.match(/width="([\d.]+)"/)?.map(Number) ?? [];
  const points = Array.from(kept.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g), ([, x, y]) => [
    Number(x),
    Number(y),
  ]);
  const [x = 0, y = 0] = points[1] ?? [];
  const scale = ((await picture.boundingBox())?.width ?? 0) / width;
  await picture.click({ position: { x: scale * x, y: scale * y } });
  await expect(page.getByRole("dialog", { name: /^Alternatives at position \d+$/ })).toBeVisible();
  await expect(picture).toHaveAccessibleName(/Position \d+ reads/);
  expect(await violations(page)).toEqual([]);
  await lens.getByRole("button", { name: "As a table" }).click();
  await expect(table.getByRole("row")).toHaveCount(34);
  expect(studio.faults).toEqual([]);
});

test("the paths of a run just written are found while they are looked at, and a reload keeps them", async ({
  page,
}) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await studio.write();
  await page.getByRole("radio", { name: "Paths", exact: true }).click();
  const picture = page.getByRole("region", { name: "Paths", exact: true }).getByRole("img");
  // The fixture brings no directions of its own.
  await expect(picture).toHaveAccessibleName(/those of this run's own end/);
  const said = await picture.getAttribute("aria-label");
  await page.reload();
  await studio.runs.first().click();
  await page.getByRole("radio", { name: "Paths", exact: true }).click();
  await expect(picture).toHaveAccessibleName(said ?? "");
});
