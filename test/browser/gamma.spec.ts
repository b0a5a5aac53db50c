import { expect, test } from "@playwright/test";
import { violations } from "./axe";
import { StudioPage } from "./studio-page";

test("γ is drawn over t by keys and by pointer, and the run, its link and its fork have the curve", async ({
  page,
  context,
  browser,
}) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await studio.set("Fresh noise γ", 2);
  const level = await studio.write();
  const drawing = page.getByRole("button", { name: "Draw γ over t" });
  await drawing.press("Enter");
  const chart = page.getByRole("group", { name: "Fresh noise γ over t" });
  const knots = chart.getByRole("slider");
  await expect(knots).toHaveCount(3);
  await expect(knots.first()).toBeFocused();
  expect(await violations(page)).toEqual([]);

  const second = chart.getByRole("slider", { name: "Knot 2 of 3" });
  await second.focus();
  const before = await studio.readout.textContent();
  for (const key of ["PageUp", "PageUp", "ArrowUp", "ArrowLeft"]) await second.press(key);
  await expect(second).toHaveAttribute("aria-valuetext", "γ 4.1 at t = 0.48");
  await expect(studio.readout).toHaveText(before ?? "");

  const box = await chart.boundingBox();
  if (!box) throw new Error("There is no chart.");
  const at = (t: number, gamma: number) => {
    const [x, y] = [14 + 232 * t, 126 - (112 * gamma) / 8];
    return [box.x + (x / 260) * box.width, box.y + (y / 150) * box.height] as const;
  };
  for (const button of ["right", "middle"] as const) await page.mouse.click(...at(0.25, 7), { button });
  await page.keyboard.press("Escape");
  await expect(knots).toHaveCount(3);
  await page.mouse.move(...at(0.25, 7));
  await page.mouse.down();
  await page.mouse.move(...at(0.25, 6), { steps: 3 });
  await page.mouse.up();
  await expect(knots).toHaveCount(4);
  await expect(knots.nth(1)).toHaveAttribute("aria-valuetext", /^γ (5\.9|6|6\.1) at t = 0\.2[456]$/);
  await knots.nth(1).press("ArrowUp");
  await chart.getByRole("slider", { name: "Knot 4 of 4" }).press("Delete");
  await expect(knots).toHaveCount(3);
  await expect(knots.last()).toBeFocused();

  await page.getByRole("button", { name: "Keep this seed" }).click();
  const text = await studio.write();
  expect(text).not.toBe(level);
  await expect(studio.runs.first()).toContainText("SDE γ 2→");
  await page.getByRole("button", { name: "Copy a link to this run" }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain("gammaCurve:0=2+0.2");
  const link = await page.evaluate(() => navigator.clipboard.readText());

  await page.keyboard.press("Home");
  await page.keyboard.press("f");
  await expect(page.getByTestId("family").first()).toContainText("from step 0");
  await expect(studio.generate).toHaveText(/^Generate/);
  expect(await studio.stage.textContent()).toBe(text);

  await page.getByRole("button", { name: "One γ again" }).press("Enter");
  await expect(chart).toHaveCount(0);
  await expect(drawing).toBeFocused();
  await expect(page.getByRole("textbox", { name: "Fresh noise γ" })).toHaveValue("2");

  const newcomer = await (await browser.newContext()).newPage();
  await newcomer.goto(link);
  await newcomer.getByRole("button", { name: "Write it" }).click();
  await expect(newcomer.getByTestId("run-card").first()).toContainText("SDE γ 2→");
  await expect(newcomer.getByTestId("generate")).toHaveText(/^Generate/);
  expect(await newcomer.getByTestId("stage-text").textContent()).toBe(text);
  await newcomer.context().close();
});
