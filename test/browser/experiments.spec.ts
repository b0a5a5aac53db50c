import { expect, test } from "@playwright/test";
import { violations } from "./axe";
import { slow } from "./slow";
import { StudioPage } from "./studio-page";

test("an experiment writes its runs side by side on one time, and its link makes it again", async ({
  page,
  context,
}) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await page.keyboard.press("o");
  const list = page.getByRole("dialog", { name: "Experiments" });
  await expect(list.getByRole("button", { name: /^Try it/ })).toHaveCount(10);
  const guidance = list.getByRole("button", { name: "Try it: With and without guidance by the prompt" });
  await expect(guidance).toHaveAttribute("aria-disabled", "true");
  await expect(guidance).toHaveAccessibleDescription("It takes a run with a prompt.");
  expect(await violations(page)).toEqual([]);
  await list.getByRole("button", { name: "Try it: ODE and SDE from the same noise" }).click();

  const comparison = page.getByTestId("comparison");
  const texts = comparison.getByTestId("compared");
  await expect(texts).toHaveCount(2);
  await expect(comparison.getByRole("status")).toHaveText("");
  await expect(texts.nth(0)).toContainText("ODE");
  await expect(texts.nth(1)).toContainText(/SDE, γ .*(tokens? differs?|the same tokens)/);
  // From one noise: nothing differs at its beginning.
  await page.keyboard.press("Home");
  await expect(studio.readout).toContainText("t = 0.00");
  await expect(texts.nth(1)).toContainText("the same tokens");
  await page.keyboard.press("End");
  expect(await violations(page)).toEqual([]);
  const written = await texts.getByRole("listbox").allInnerTexts();

  // On A4 all of both texts, however long, and nothing to press.
  const screen = page.viewportSize() ?? { width: 1280, height: 720 };
  await page.setViewportSize({ width: 700, height: 400 });
  await page.emulateMedia({ media: "print", reducedMotion: "reduce" });
  const room = texts.first().locator("xpath=../..");
  expect(await room.evaluate((element) => element.scrollHeight - element.clientHeight)).toBe(0);
  await expect(room).toHaveCSS("overflow-y", "visible");
  await expect(page.locator("button:visible, input:visible, textarea:visible")).toHaveCount(0);
  await page.emulateMedia({ media: "screen", reducedMotion: "reduce" });
  await page.setViewportSize(screen);

  await comparison.getByRole("button", { name: "Copy a link" }).click();
  await expect(page.getByText("It makes this experiment again.")).toBeVisible();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  expect(link).toContain("experiment=samplers");

  await comparison.getByRole("button", { name: /^Show ODE alone/ }).click();
  await expect(comparison).toHaveCount(0);
  await expect(studio.stage).toBeVisible();

  const other = await context.newPage();
  await other.goto(link);
  await expect(other.getByTestId("linked")).toContainText("ODE and SDE from the same noise");
  await other.getByRole("button", { name: "Write it" }).click();
  await expect(other.getByTestId("comparison").getByRole("status")).toHaveText("");
  expect(await other.getByTestId("compared").getByRole("listbox").allInnerTexts()).toEqual(written);
});

test("of four seeds the text that the model is surest of is named, and stays", slow("four runs"), async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await page.keyboard.press("o");
  await page.getByRole("dialog", { name: "Experiments" }).getByRole("button", { name: "Try it: Best of four" }).click();
  const comparison = page.getByTestId("comparison");
  const texts = comparison.getByTestId("compared");
  await expect(texts).toHaveCount(4);
  const status = comparison.getByRole("status");
  await expect(status).toHaveText(/^The model is surest of seed \d+\.$/);
  const seed = /seed \d+/.exec(await status.innerText())?.[0] ?? "";
  const surest = texts.filter({ hasText: "surest" });
  await expect(surest).toHaveCount(1);
  await expect(surest).toContainText(seed);
  expect(await violations(page)).toEqual([]);
  const text = await surest.getByRole("listbox").innerText();
  await page.keyboard.press("c");
  await expect(comparison).toHaveCount(0);
  await expect(page.getByTestId("stage-text")).toHaveText(text, { useInnerText: true });
});

test("a grid keeps off the shelf until a text of it is taken", slow("sixteen runs"), async ({ page }) => {
  // A mark that is fading has no contrast to be judged by.
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await page.getByRole("button", { name: "Experiments" }).click();
  const list = page.getByRole("dialog", { name: "Experiments" });
  await list.getByLabel("Down").selectOption("Self-conditioning w");
  await list.getByRole("button", { name: /^Fill the grid/ }).click();
  const comparison = page.getByTestId("comparison");
  await expect(comparison.getByTestId("compared")).toHaveCount(16);
  await expect(comparison.getByRole("status")).toHaveText("");
  expect(await violations(page)).toEqual([]);
  const cards = page.getByTestId("run-card");
  const before = await cards.count();
  const cell = comparison.getByRole("region", { name: "w 2, γ 4" });
  const text = await cell.getByRole("listbox").innerText();
  await cell.getByRole("button", { name: "Show w 2, γ 4 alone" }).click();
  await expect(cards).toHaveCount(before + 1);
  await expect(page.getByTestId("stage-text")).toHaveText(text, { useInnerText: true });
});

test("a text goes back to noise and forward again, beside the run that it comes from", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await studio.write();
  await page.keyboard.press("o");
  const list = page.getByRole("dialog", { name: "Experiments" });
  expect(await violations(page)).toEqual([]);
  await list.getByRole("button", { name: "Write it back" }).click();
  const texts = page.getByTestId("compared");
  await expect(texts).toHaveCount(2);
  await expect(texts.nth(1)).toContainText("from the noise of a text");
  await expect(texts.nth(1)).toContainText(/tokens? differs?|the same tokens/);
  expect(await violations(page)).toEqual([]);
  expect(studio.faults).toEqual([]);
});

test("another model writes beside the run shown, in step and by the clock", slow("two models"), async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "stories" });
  await studio.set("Steps", 4);
  await studio.write();
  const own = await studio.stage.innerText();
  await page.keyboard.press("o");
  const list = page.getByRole("dialog", { name: "Experiments" });
  await expect(list.getByLabel("Beside")).toHaveValue("stories-fast");
  expect(await violations(page)).toEqual([]);
  await list.getByRole("button", { name: "Try it: Stories and Stories, fast" }).click();

  const comparison = page.getByTestId("comparison");
  const texts = comparison.getByTestId("compared");
  await expect(comparison.getByRole("status")).toHaveText("", { timeout: 60_000 });
  await expect(texts.nth(0)).toContainText("Stories, 4 steps");
  await expect(texts.nth(1)).toContainText("Stories, fast, 8 steps");
  await expect(texts.nth(0).getByRole("listbox")).toHaveText(own, { useInnerText: true });
  // The page has the model again that it began with.
  await expect(studio.chip).toContainText(/^Stories/);
  await expect(studio.chip).toHaveAttribute("data-status", "ready");

  await comparison.getByRole("button", { name: "By the clock" }).click();
  await page.keyboard.press("Home");
  await expect(texts.nth(0)).toContainText("after 0.0 s");
  await page.keyboard.press("End");
  await expect(texts.nth(0).getByRole("listbox")).toHaveText(own, { useInnerText: true });
  await expect(texts.nth(1)).toContainText(/after \d+\.\d s/);
  expect(await violations(page)).toEqual([]);
});

test("between two noises stand five runs, and one of them can be linked to and gone on from", async ({
  page,
  context,
  browser,
}) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await page.keyboard.press("o");
  const list = page.getByRole("dialog", { name: "Experiments" });
  const other = list.getByLabel(/^From the noise of seed/);
  const go = list.getByRole("button", { name: /^Go from one to the other/ });
  await other.fill("x");
  await expect(go).toHaveAttribute("aria-disabled", "true");
  await expect(go).toHaveAccessibleDescription(/^The other seed is an integer/);
  await other.fill("4711");
  await go.click();
  const comparison = page.getByTestId("comparison");
  await expect(comparison.getByTestId("compared")).toHaveCount(5);
  await expect(comparison.getByRole("status")).toHaveText("");
  expect(await violations(page)).toEqual([]);

  await comparison.getByRole("button", { name: "Show 50 % alone" }).click();
  await expect(page.getByTestId("run-card").first()).toContainText("to 4711");
  const text = await studio.stage.innerText();
  await page.getByRole("button", { name: "Copy a link" }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain("towards:4711,weight:0.5");
  const link = await page.evaluate(() => navigator.clipboard.readText());

  // From its noise on it is written again as it was.
  await page.keyboard.press("Home");
  await page.keyboard.press("u");
  await page.keyboard.press("f");
  await expect(page.getByTestId("family").first()).toContainText("from step 0");
  await expect(studio.generate).toHaveText(/^Generate/);
  await expect(studio.stage).toHaveText(text, { useInnerText: true });

  // Whoever gets the link has nothing on the shelf.
  const newcomer = await (await browser.newContext()).newPage();
  await newcomer.goto(link);
  await expect(newcomer.getByTestId("linked")).toContainText("to 4711");
  await newcomer.getByRole("button", { name: "Write it" }).click();
  await expect(newcomer.getByTestId("run-card").first()).toContainText("to 4711");
  await expect(newcomer.getByTestId("generate")).toHaveText(/^Generate/);
  await expect(newcomer.getByTestId("stage-text")).toHaveText(text, { useInnerText: true });
  await newcomer.context().close();
});
