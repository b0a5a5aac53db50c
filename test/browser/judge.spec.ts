import { expect, test } from "@playwright/test";
import { violations } from "./axe";
import { slow } from "./slow";
import { StudioPage } from "./studio-page";

test("a judge that is asked for reads the runs of the shelf, and each that ends", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm" });
  await page.getByRole("radio", { name: "Quality" }).click();
  const lens = page.getByRole("region", { name: "Quality" });
  await expect(lens).toContainText("No judge has read this text yet.");
  const fetchIt = lens.getByRole("button", { name: /^Fetch the judge \(\d.* MB\)$/ });
  await expect(fetchIt).toBeVisible();
  expect(asked.filter((path) => path.endsWith(".bin"))).toEqual([]);
  expect(await violations(page)).toEqual([]);
  await fetchIt.click();

  const picture = lens.getByRole("img");
  await expect(picture).toHaveAccessibleName(/^Perplexity \d+\.\d, entropy \d\.\d\d nats; real text has \d/);
  expect(await violations(page)).toEqual([]);
  await lens.getByRole("button", { name: "As a table" }).click();
  await expect(lens.getByRole("row")).toHaveCount(3);
  await expect(lens.getByRole("row").nth(1)).toContainText("(shown)");

  // One more run is read as soon as it is whole.
  await studio.set("Steps", 4);
  await studio.write();
  await expect(lens.getByRole("row")).toHaveCount(4);
});

test("a point of the quality lens leads to its run", slow("presses all over a picture"), async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm" });
  await studio.set("Steps", 4);
  await studio.write();
  await page.getByRole("radio", { name: "Quality" }).click();
  const lens = page.getByRole("region", { name: "Quality" });
  await lens.getByRole("button", { name: /^Fetch the judge/ }).click();
  const picture = lens.getByRole("img");
  await expect(picture).toBeVisible();
  const shown = await studio.stage.innerText();
  const box = await picture.boundingBox();
  if (!box) throw new Error("The picture has a place.");
  // Pressed all over, it comes upon the other run's point.
  await expect(async () => {
    for (let y = 20; y < box.height - 40; y += 34) {
      for (let x = 40; x < box.width; x += 34) await picture.click({ position: { x, y } });
    }
    expect(await studio.stage.innerText()).not.toBe(shown);
  }).toPass({ timeout: 20_000 });
});

test("a flow and the judge write side by side by the clock", slow("a judge and two texts"), async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await page.keyboard.press("o");
  const list = page.getByRole("dialog", { name: "Experiments" });
  await expect(list).toContainText(/The judge is fetched for it: \d.* MB/);
  await list.getByRole("button", { name: "Try it: Race a next-word model" }).click();
  const comparison = page.getByTestId("comparison");
  const texts = comparison.getByTestId("compared");
  await expect(texts.nth(1)).toContainText("Word by word");
  await expect(comparison.getByRole("button", { name: "By the clock" })).toHaveAttribute("aria-pressed", "true");
  await page.keyboard.press("Home");
  await expect(texts.nth(1)).toContainText("after 0.0 s");
  const beginning = await texts.nth(1).getByRole("listbox").innerText();
  await page.keyboard.press("End");
  expect((await texts.nth(1).getByRole("listbox").innerText()).length).toBeGreaterThan(beginning.length);
  expect(await violations(page)).toEqual([]);
  // It is no run of a flow: only the other one can be shown alone.
  await expect(comparison.getByRole("button", { name: /^Show .* alone$/ })).toHaveCount(1);
});

test(
  "two translators write side by side, and the one judges the other",
  slow("two models and two texts"),
  async ({ page }) => {
    await page.emulateMedia({ reducedMotion: "reduce" });
    const studio = new StudioPage(page);
    await studio.open({ backend: "wasm", model: "translate-de-en" });
    await page.getByTestId("prompt").fill("Wo ist mein Schlüssel?");
    await studio.write();
    await page.keyboard.press("o");
    const list = page.getByRole("dialog", { name: "Experiments" });
    await list.getByRole("button", { name: "Try it: Race a next-word model" }).click();
    const texts = page.getByTestId("comparison").getByTestId("compared");
    await expect(texts.nth(1)).toContainText("Word by word");
    await page.keyboard.press("End");
    for (const text of [texts.nth(0), texts.nth(1)])
      await expect(text.getByRole("listbox")).toContainText(/Where.*key/);
    expect(await violations(page)).toEqual([]);
    await texts
      .nth(0)
      .getByRole("button", { name: /^Show .* alone$/ })
      .click();
    await page.getByRole("radio", { name: "Quality" }).click();
    const lens = page.getByRole("region", { name: "Quality" });
    await expect(lens.getByRole("img")).toHaveAccessibleName(
      /^Perplexity \d+\.\d, entropy \d\.\d\d nats; real text has \d/,
    );
    expect(studio.faults).toEqual([]);
  },
);
