import { expect, test } from "@playwright/test";
import { violations } from "./axe";
import { heldBack } from "./held-back";
import { StudioPage } from "./studio-page";

/** Over the defaults of the tiny model, an ODE of 8 steps with w 2 and ω 2. */
const PRESETS = [
  { name: "Careful", note: "Twice as long.", settings: { steps: 16, method: "sde", gamma: 0.5 } },
  { name: "Faithful", note: "Closer to the prompt.", settings: { cfgScale: 4 } },
  { name: "W".repeat(40), note: "m".repeat(200), settings: { steps: 3, schedule: "quantile" } },
];

test("a model's own presets come first, are taken by keyboard and fit a phone", async ({ page }) => {
  await page.route("**/models/tiny-two-pass/manifest.json", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ json: { ...(await response.json()), presets: PRESETS } });
  });
  const studio = new StudioPage(page);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await studio.open({ model: "tiny-two-pass", backend: "wasm" });
  const presets = page.getByRole("region", { name: "Presets" });
  const preset = (name: string) => presets.getByRole("button", { name, exact: true });
  const long = preset("W".repeat(40));

  // Nothing but ω tells "Faithful" from the defaults, and without a prompt ω has no effect.
  // Nor is there a quick draft of 8 steps beside a model whose own are 8.
  const free = ["Official, 32 steps", "Pure ODE, 64", "Over-guided"];
  await expect(presets.getByRole("button")).toHaveText(["This model's own", "Careful", "W".repeat(40), ...free]);
  await expect(preset("This model's own")).toHaveAttribute("aria-pressed", "true");

  await preset("Careful").focus();
  await page.keyboard.press("Enter");
  await expect(preset("Careful")).toHaveAttribute("aria-pressed", "true");
  await expect(presets).toContainText("Twice as long.");
  await expect(page.getByRole("textbox", { name: "Steps N" })).toHaveValue("16");
  await expect(page.getByRole("textbox", { name: "Fresh noise γ" })).toHaveValue("0.5");

  await page.getByTestId("prompt").fill("garden");
  await expect(preset("Careful")).toHaveAttribute("aria-pressed", "true");
  await preset("Faithful").click();
  await expect(page.getByRole("textbox", { name: "Prompt ω" })).toHaveValue("4");
  await expect(page.getByRole("radio", { name: "ODE" })).toBeChecked();
  await page.getByTestId("prompt").fill("");
  await expect(preset("This model's own")).toHaveAttribute("aria-pressed", "true");

  await long.click();
  await expect(page.getByRole("radio", { name: "Quantile" })).toBeChecked();
  expect(await violations(page)).toEqual([]);
  for (const width of [1280, 700, 360, 320]) {
    await page.setViewportSize({ width, height: 800 });
    const within = await presets.evaluate((section) => {
      const { right } = section.getBoundingClientRect();
      return [...section.querySelectorAll("button")].every((button) => button.getBoundingClientRect().right <= right);
    });
    expect(within, `at ${width}`).toBe(true);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    const schedule = page.getByRole("radiogroup", { name: "Schedule" });
    expect(await schedule.evaluate((group) => group.scrollWidth - group.clientWidth), `at ${width}`).toBe(0);
  }

  await studio.write();
  await expect(studio.runs.first()).toContainText("3 steps ODE · w 2 · quantile");
  expect(studio.faults).toEqual([]);
});

test("numbers are typed letter by letter, and one that comes meanwhile does not mix with them", async ({ page }) => {
  const arrive = await heldBack(page, "**/models/tiny-two-pass/manifest.json");
  const studio = new StudioPage(page);
  await studio.open({ model: "tiny-two-pass", backend: "wasm" });
  const steps = page.getByRole("textbox", { name: "Steps N" });
  await expect(steps).toHaveValue("32");
  await steps.click();
  arrive();
  await expect(steps).toHaveValue("8");
  await page.keyboard.type("12");
  await expect(steps).toHaveValue("12");

  await page.getByRole("radio", { name: "SDE" }).click();
  const gamma = page.getByRole("textbox", { name: "Fresh noise γ" });
  await gamma.click();
  await page.keyboard.type("1.25");
  await expect(gamma).toHaveValue("1.25");
  await gamma.fill("2.");
  await page.keyboard.press("Tab");
  await expect(gamma).toHaveValue("2");
  await expect(studio.alert).toHaveCount(0);
});
