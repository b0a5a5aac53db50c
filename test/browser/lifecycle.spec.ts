import { expect, type Locator, test } from "@playwright/test";
import { ENDS, engineOf } from "./engine";
import { keptSteps } from "./kept-runs";
import { startEndlessRun, writeFew } from "./runs";
import { slow } from "./slow";
import { StudioPage } from "./studio-page";

test("Generate pressed while a run goes on ends it, keeps its frames, and writes anew", async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  // At once: a fast machine has written even this run in three seconds.
  await startEndlessRun(studio);
  await studio.generate.dblclick();
  await page.keyboard.press("Escape");
  await expect(studio.generate).toHaveText(/^Generate/);
  await expect(studio.runs.filter({ hasText: /Stopped at step [1-9]\d* of 1024/ }).first()).toBeVisible();
  await studio.set("Steps", 4);
  await studio.generate.dblclick();
  await expect(studio.readout).toContainText("step 4 of 4");
  await expect(studio.generate).toHaveText(/^Generate/);
  // Two presses may have begun two runs within one millisecond: either card may come first.
  await expect(studio.runs.filter({ hasText: /WASM\s*4 steps/ }).first()).toBeVisible();
  await expect(studio.alert).toHaveCount(0);
  expect(studio.faults).toEqual([]);
});

test("a page reloaded in the middle of a run has its frames on the shelf again", async ({ page }) => {
  const studio = new StudioPage(page);
  // A run is kept every second, in which a fast machine is through with 1,024 steps of the small model.
  await studio.open({ backend: "wasm", model: "stories-fast" });
  await startEndlessRun(studio);
  const reached = async (run: Locator) => Number(/step (\d+) of 1024/.exec((await run.textContent()) ?? "")?.[1] ?? 0);
  const run = studio.runs.filter({ hasText: "1024 steps" });
  await expect.poll(() => keptSteps(page), { intervals: [50] }).toBeGreaterThan(20);
  await page.reload();
  await expect(run).toContainText(/Stopped at step [1-9]\d* of 1024/);
  expect(await reached(run)).toBeGreaterThan(20);
  await run.getByRole("button").first().click();
  await expect(studio.readout).toContainText("of 1024");
  await expect(studio.stage).not.toBeEmpty();
  expect(studio.faults).toEqual([]);
});

test(
  "another model chosen while a run goes on ends it, and writes from then on",
  slow("a shipped model is loaded beside the small one"),
  async ({ page }) => {
    const studio = new StudioPage(page);
    await studio.open({ backend: "wasm", model: "tiny-model" });
    await startEndlessRun(studio);
    await studio.chip.click();
    const entry = page.getByTestId("model-entry").filter({ has: page.getByRole("heading", { name: "Stories, fast" }) });
    await entry.getByRole("button", { name: "Load", exact: true }).click();
    await expect(entry.getByRole("button", { name: "In use" })).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(studio.runs.filter({ hasText: /Stopped at step [1-9]\d* of 1024/ })).toHaveCount(1);
    await expect(studio.chip).toContainText("Stories, fast");
    await writeFew(studio);
    await expect(studio.stage).toContainText(/[a-z]{3}/);
    expect(studio.faults).toEqual([]);
  },
);

for (const [how, end] of Object.entries(ENDS)) {
  test(
    `a worker that ${how} is replaced, and the run keeps its frames`,
    how.startsWith("closes") ? slow("the model is loaded twice, as for one that throws") : {},
    async ({ page }) => {
      const studio = new StudioPage(page);
      await studio.open({ backend: "wasm", model: "tiny-model" });
      await startEndlessRun(studio);
      await engineOf(page).evaluate(end);
      await expect(studio.alert).toHaveAttribute("data-code", "engine-crashed");
      await expect(studio.alert).toContainText(/What was written is kept, and the engine was restored/);
      await expect(studio.runs.first()).toContainText(/Failed at step [1-9]\d* of 1024/);
      await writeFew(studio);
      expect(page.workers()).toHaveLength(1);
    },
  );
}

test("a worker that hangs is ended by Cancel, the run keeps its frames, and the next one loads again", async ({
  page,
}) => {
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await startEndlessRun(studio);
  await engineOf(page).evaluate(() => {
    setTimeout(() => {
      for (;;);
    });
  });
  await studio.cancel.click();
  await expect(studio.generate).toHaveText(/^Generate/);
  await expect(studio.runs.first()).toContainText(/Stopped at step [1-9]\d* of 1024/);
  await expect(studio.alert).toHaveCount(0);
  await writeFew(studio);
});

test("a closed tab leaves nothing behind, and a second one is not disturbed", async ({ page, context }) => {
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await startEndlessRun(studio);
  const other = await context.newPage();
  await other.goto("./favicon.svg");
  const locks = () =>
    other.evaluate(async () => {
      const { held = [], pending = [] } = await navigator.locks.query();
      return [...held, ...pending].map(({ name }) => name?.split(" ")[0]);
    });
  expect(await locks()).toContain("elf-engine");
  await page.close();
  await expect.poll(locks).toEqual([]);
});

test("two tabs share the shelf: what one writes or deletes, the other shows at once", async ({ page, context }) => {
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  const other = new StudioPage(await context.newPage());
  await other.open({ backend: "wasm", model: "tiny-model" });
  await expect(other.runs).toHaveCount(0);
  await writeFew(studio);
  await expect(other.runs).toHaveCount(1);
  await expect(other.stage).toHaveText((await studio.stage.textContent()) ?? "");
  await studio.set("Seed", 5);
  await writeFew(studio);
  await expect(other.runs).toHaveCount(2);
  await other.runs
    .first()
    .getByRole("button", { name: /^Delete/ })
    .click();
  await expect(other.runs).toHaveCount(1);
  // It stands on the stage there.
  await expect(studio.runs).toHaveCount(2);
  await other.page.getByRole("button", { name: /Undo|Take back|Bring back/ }).click();
  await expect(other.runs).toHaveCount(2);
  expect([...studio.faults, ...other.faults]).toEqual([]);
});

test("a page left and come back to can write again", async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await startEndlessRun(studio);
  await page.goto("./favicon.svg");
  await page.goBack();
  await expect(studio.generate).toHaveText(/^Generate|Write anew/);
  await writeFew(studio);
  await expect(studio.alert).toHaveCount(0);
});
