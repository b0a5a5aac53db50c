import { expect, type Page, test } from "@playwright/test";
import { slow } from "./slow";
import { StudioPage } from "./studio-page";
import { lostChanges, translate, translated } from "./translator";

/** Looks at the recorded run from all sides. */
async function look(page: Page, studio: StudioPage): Promise<void> {
  await expect(studio.stage).toBeVisible();
  const reading = (name: string) => page.getByRole("radio", { name }).click();
  await studio.time.press("End");
  await expect(studio.readout).toContainText("t = 1.00");
  const text = await studio.stage.textContent();
  await reading("What it expects");
  await reading("What it holds");
  await expect(studio.stage).toHaveText(text ?? "");
  await studio.time.press("Home");
  await expect(studio.readout).toContainText("step 0 of");
  for (const step of [1, 2, 3]) {
    await studio.time.press("ArrowRight");
    await expect(studio.readout).toContainText(`step ${step} of`);
    await reading(step % 2 ? "What it expects" : "What it holds");
  }
  await expect(page.locator("[data-piece=hint]")).toContainText("Its guess");
  // The card of one word, then of another, and words held.
  await page.getByRole("option").nth(2).click();
  await expect(page.getByTestId("hold")).toHaveText(/^Hold this word/);
  await page.getByTestId("hold").click();
  await expect(page.getByTestId("hold")).toHaveText(/^Let go/);
  await page.getByRole("option").nth(5).click();
  await expect(page.getByRole("dialog")).toContainText("position");
  await page.getByTestId("hold").click();
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("held").getByRole("listitem")).toHaveCount(2);
  await page.getByRole("button", { name: "Let all held words go" }).click();
  await expect(page.getByTestId("held")).toHaveCount(0);
  // Settings, presets, numbers that are refused.
  for (const chip of await page.getByRole("region", { name: "Presets" }).getByRole("button").all()) await chip.click();
  await page.getByRole("radio", { name: "SDE" }).click();
  await page.getByRole("radio", { name: "ODE" }).click();
  await page.getByRole("radio", { name: "Uniform" }).click();
  await studio.set("Steps", -1);
  await expect(page.getByText("Give a whole number from 1 to 1024.")).toBeVisible();
  await studio.set("Steps", 2);
  await expect(page.getByText("Give a whole number from 1 to 1024.")).toHaveCount(0);
  // Dialogs, theme, notice.
  await page.getByRole("button", { name: /^Theme/ }).click();
  await page.getByRole("button", { name: /^Theme/ }).hover();
  await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
  await page.keyboard.press("Escape");
  await studio.chip.click();
  await expect(page.getByTestId("model-entry").first()).toBeVisible();
  await page.getByRole("textbox", { name: "Hub id or address" }).fill("owner/name");
  await expect(page.getByRole("button", { name: /^Look it up at/ })).toBeVisible();
  await page.getByRole("textbox", { name: "Hub id or address" }).fill("");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Copy a link to this run" }).click();
  await expect(page.getByTestId("notice")).toContainText("link");
}

/** Writes, cancels, deletes, brings back. */
async function write(page: Page, studio: StudioPage): Promise<void> {
  await expect(page.getByTestId("stage-empty")).toContainText(/once its .* are loaded/);
  await studio.set("Steps", 4);
  await studio.write();
  await expect(studio.readout).toContainText("step 4 of 4");
  await expect(page.getByTestId("settled")).toContainText("settled");
  await expect(studio.generate).toHaveText(/^Generate/);
  // Where motion is unwelcome the first step that shows is the one in the middle: half of them is what this waits for, and
  // the other half is time enough to press Cancel.
  await studio.set("Steps", 128);
  await studio.generate.click();
  await expect(studio.generate).toHaveText("Write anew");
  await expect(studio.readout).toContainText("step 64 of 128");
  await studio.cancel.click();
  await expect(studio.generate).toHaveText(/^Generate/);
  await expect(studio.runs.first()).toContainText(/Stopped at step \d+ of 128/);
  await studio.runs.nth(1).getByRole("button").first().click();
  await expect(studio.readout).toContainText("of 4");
  await studio.time.press("Home");
  await page.getByRole("button", { name: /^Go on from this step/ }).click();
  await expect(studio.runs.first()).toContainText("from step 0 of");
  await studio.cancel.click({ timeout: 500 }).catch(() => {});
  await expect(studio.generate).toHaveText(/^Generate/);
  await page
    .getByRole("button", { name: /^Delete the run/ })
    .first()
    .click();
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(studio.runs).toHaveCount(3);
}

for (const everything of [false, true]) {
  const how = everything ? "that translates even what asks to be left alone" : "that translates";
  test(`the page is usable in a browser ${how}`, everything ? slow("the whole visit again") : {}, async ({ page }) => {
    await page.emulateMedia({ reducedMotion: "reduce" });
    await translate(page, everything);
    const studio = new StudioPage(page);
    await studio.open({ backend: "wasm" });
    await look(page, studio);
    expect(await translated(page)).toBeGreaterThan(20);
    expect(await lostChanges(page)).toEqual([]);
    await expect(page.locator("[data-code=part]")).toHaveCount(0);
    if (!everything) await expect(page.locator("[role=listbox] font")).toHaveCount(0);

    // The small model is through with all its steps before a test can press Cancel; this one has to begin without a recorded run.
    await page.route("**/traces/stories-fast.json", (route) => route.fulfill({ status: 404 }));
    await studio.open({ backend: "wasm", model: "stories-fast" });
    await write(page, studio);
    expect(await lostChanges(page)).toEqual([]);
    expect(studio.faults).toEqual([]);
  });
}
