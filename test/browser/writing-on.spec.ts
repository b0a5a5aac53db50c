import { expect, type Page, test } from "@playwright/test";
import { violations } from "./axe";
import { StudioPage } from "./studio-page";

/** Going on from the middle of a run, and holding words, with a tiny random model on each backend. */
async function openTiny(page: Page, project: string): Promise<StudioPage> {
  const studio = new StudioPage(page);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await studio.open({ model: "tiny-model", backend: project.startsWith("webgpu") ? "webgpu" : "wasm" });
  await studio.set("Steps", 6);
  await page.getByRole("button", { name: /Keep this seed/ }).click();
  await studio.set("Seed", 3);
  return studio;
}

/** What is on the stage at each step of the run shown. */
async function stages({ time, readout, stage }: StudioPage, steps: number): Promise<(string | null)[]> {
  await time.press("Home");
  const texts: (string | null)[] = [];
  for (let step = 0; step <= steps; step++) {
    await expect(readout).toContainText(`step ${step} of ${steps}`);
    texts.push(await stage.textContent());
    await time.press("ArrowRight");
  }
  return texts;
}

/** Goes on from the step shown, and waits for the end. */
async function fork(studio: StudioPage, runs: number): Promise<void> {
  await studio.page.keyboard.press("f");
  await expect(studio.runs).toHaveCount(runs);
  await expect(studio.generate).toHaveText(/^Generate/);
  await expect(studio.alert).toHaveCount(0);
}

test("goes on from a step: the same where nothing is changed, and otherwise only after it", async ({ page }, {
  project,
}) => {
  const studio = await openTiny(page, project.name);
  await studio.write();
  const parent = await stages(studio, 6);
  for (let i = 0; i < 3; i++) await studio.time.press("ArrowLeft");
  await expect(studio.readout).toContainText("step 3 of 6");
  await fork(studio, 2);
  expect(await stages(studio, 6), "a fork that changes nothing").toEqual(parent);
  await expect(page.getByTestId("run-tree").locator("circle")).toHaveCount(2);
  await expect(studio.runs.first()).toContainText("from step 3 of");
  await expect(studio.runs.nth(1)).toContainText("1 run goes on from it");

  await page
    .getByRole("radio", { name: "ODE" })
    .or(page.getByRole("button", { name: "ODE", exact: true }))
    .click();
  await studio.time.press("Home");
  for (let i = 0; i < 3; i++) await studio.time.press("ArrowRight");
  await fork(studio, 3);
  const changed = await stages(studio, 6);
  expect(changed.slice(0, 4)).toEqual(parent.slice(0, 4));
  expect(changed).not.toEqual(parent);

  await page.keyboard.press("p");
  await expect(studio.readout).toContainText("step 3 of 6");
  expect(studio.faults).toEqual([]);
});

test("holds words by keyboard alone, through a run and into its fork", async ({ page }, { project }) => {
  test.skip(project.name.startsWith("webgpu"), "Slow in software; clamps are compared in webgpu-step.spec.ts.");
  const studio = await openTiny(page, project.name);
  await studio.write();
  const tokens = page.getByRole("option");
  await tokens.first().focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("hold")).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.getByTestId("hold-word")).toBeFocused();
  await page.keyboard.type("garden");
  await page.keyboard.press("Enter");
  const strip = page.getByTestId("held");
  await expect(strip).toContainText("garden");
  await page.keyboard.press("Escape");
  await expect(page.locator("[role=option]:focus")).toHaveAttribute(
    "aria-label",
    /to be held as garden in the next run/,
  );

  await studio.write();
  await expect(page.locator("[data-held=true]").first()).toHaveText("garden");
  await expect(page.locator("[data-held=true]").first()).toHaveAttribute(
    "aria-label",
    "garden, held, to be held as garden in the next run",
  );
  await expect(studio.runs.first()).toContainText("token held");
  await studio.time.press("Home");
  await expect(page.locator("[data-held=true]").first()).toHaveText("garden");
  await fork(studio, 3);
  await expect(page.locator("[data-held=true]").first()).toHaveText("garden");

  expect(await violations(page)).toEqual([]);

  await page.keyboard.press("x");
  await expect(strip).toHaveCount(0);
  expect(studio.faults).toEqual([]);
});

test("a link tells another visitor how a fork is written", async ({ page, browser }, { project }) => {
  test.skip(project.name.startsWith("webgpu"), "What a link says does not depend on the backend.");
  const studio = await openTiny(page, project.name);
  await studio.write();
  await studio.time.press("Home");
  await studio.time.press("ArrowRight");
  await studio.set("Fresh noise", 0.25);
  await studio.time.focus();
  await fork(studio, 2);
  const written = await stages(studio, 6);
  await page.getByRole("button", { name: "Copy a link to this run" }).click();
  await expect(page.getByTestId("notice")).toContainText("link");
  const link = page.url();
  expect(link.length).toBeLessThan(400);

  const visitor = await (await browser.newContext({ reducedMotion: "reduce" })).newPage();
  const other = new StudioPage(visitor);
  await visitor.goto(link);
  await expect(visitor.getByTestId("linked")).toContainText("from step 1 of another run");
  await visitor.getByRole("button", { name: "Write it" }).click();
  await expect(other.readout).toContainText("step 6 of 6");
  await expect(other.generate).toHaveText(/^Generate/);
  expect(await stages(other, 6)).toEqual(written);
  await expect(other.runs.first()).toContainText("not on this shelf");
  // Pasted over the page's own address, a link does not load the page anew.
  await visitor.evaluate(() => {
    location.hash = location.hash.replace("seed:3", "seed:5");
  });
  await expect(visitor.getByTestId("linked")).toContainText("seed 5");
  expect(other.faults).toEqual([]);
  await visitor.context().close();
});
