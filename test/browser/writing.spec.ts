import { expect, test } from "@playwright/test";
import { StudioPage } from "./studio-page";

/** What a visitor does first, on each backend: the shipped model in wasm, a tiny random one on software WebGPU. */
const visits = {
  wasm: { address: { backend: "wasm" }, steps: 8, chip: "WASM" },
  webgpu: { address: { backend: "webgpu", model: "tiny-model" }, steps: 8, chip: "WebGPU" },
};

function visit(project: string) {
  return visits[project.startsWith("webgpu") ? "webgpu" : "wasm"];
}

/** One page for both of its parts, so that the model is loaded once. */
test("writes a text, which can be scrubbed and written again from its seed; a run cancelled keeps its frames", async ({
  page,
}, { project }) => {
  const { address, steps, chip } = visit(project.name);
  const studio = new StudioPage(page);
  // Without pictures in between, which are drawn in software as well.
  await page.emulateMedia({ reducedMotion: "reduce" });
  await studio.open(address);
  await studio.set("Steps", steps);
  await page.getByRole("button", { name: /Keep this seed/ }).click();
  await studio.set("Seed", 11);

  const text = await studio.write();
  expect(text.trim().length).toBeGreaterThan(4);
  await expect(studio.chip).toContainText(chip);
  await expect(studio.readout).toContainText("t = 1.00");
  await expect(studio.readout).toContainText(`step ${steps} of ${steps}`);

  await studio.time.press("Home");
  await expect(studio.readout).toContainText("t = 0.00");
  await expect(studio.stage).not.toHaveText(text);
  const stages = new Set<string>();
  for (let step = 1; step <= steps; step++) {
    await studio.time.press("ArrowRight");
    await expect(studio.readout).toContainText(`step ${step} of ${steps}`);
    stages.add((await studio.stage.textContent()) ?? "");
  }
  expect(stages.size, "the words change on the way").toBeGreaterThan(2);
  expect(await studio.stage.textContent()).toBe(text);

  expect(await studio.write(), "the same seed writes the same text").toBe(text);
  await expect(studio.runs.filter({ hasText: "11" })).toHaveCount(2);
  expect(studio.faults).toEqual([]);

  // What is written while it is written is shown step by step only where motion is welcome.
  await page.emulateMedia({ reducedMotion: "no-preference" });
  await studio.set("Steps", 400);
  await studio.generate.click();
  await expect(studio.readout).toContainText(/step [1-9]\d* of 400/);
  await studio.cancel.click();
  await expect(studio.generate).toHaveText(/^Generate/);

  await studio.time.press("Home");
  await expect(studio.readout).toContainText("step 0 of 400");
  await studio.time.press("End");
  await expect(studio.readout).toContainText(/step [1-9]\d* of 400/);
  await expect(studio.alert).toHaveCount(0);
  expect(studio.faults).toEqual([]);
});
