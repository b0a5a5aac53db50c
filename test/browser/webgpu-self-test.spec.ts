import { expect, test } from "@playwright/test";
import { spoilFusedDenoiser, spoilSelfTest } from "./altered-model";
import { writeFew } from "./runs";
import { slow } from "./slow";
import { StudioPage } from "./studio-page";

test("a GPU that passes the model's self-test is used, and the chip says by which graphs", async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open({ backend: "webgpu", model: "tiny-model" });
  await writeFew(studio, 2);
  await expect(studio.chip).toContainText(/WebGPU · (fused|plain) attention/);
  await expect(studio.chip).toHaveAttribute("title", /The GPU \(.+\) passed the model's self-test\.$/);
  await studio.chip.click();
  await expect(page.getByTestId("model-entry").first()).toContainText(/Runs on: WebGPU · (fused|plain) attention\./);
  await expect(page.getByTestId("model-shelf")).not.toContainText("does not fit here");
});

test(
  "fused graphs that compute wrongly give way to the plain ones, and the chip says why",
  slow("a GPU in software tests two kinds of graphs"),
  async ({ page }) => {
    const studio = new StudioPage(page);
    await spoilFusedDenoiser(page, "tiny-model");
    await studio.open({ backend: "webgpu", model: "tiny-model" });
    await writeFew(studio, 2);
    await expect(studio.chip).toContainText("WebGPU · plain attention");
    await expect(studio.chip).toHaveAttribute("title", /^Fused attention failed its self-test: The denoiser computes/);
  },
);

test(
  "a GPU that fails it is refused by name where it was asked for, and wasm is one press away",
  slow("a GPU in software loads a model, and wasm another time"),
  async ({ page }) => {
    const studio = new StudioPage(page);
    await spoilSelfTest(page, "tiny-model", "decoder.entropy");
    await studio.open({ backend: "webgpu", model: "tiny-model" });
    await studio.generate.click();
    await expect(studio.alert).toHaveAttribute("data-code", "self-test");
    await expect(studio.alert).toContainText(/The decoder computes wrong numbers on webgpu: entropy is off by 0\.091/);
    await expect(studio.chip).toContainText("not loaded");
    await page.unrouteAll();
    await studio.alert.getByRole("link", { name: "Use WASM" }).click();
    await writeFew(studio, 2);
    await expect(studio.chip).toContainText("WASM · 1 thread");
  },
);

test("where there is only a software GPU and nothing was asked for, wasm is taken and says why", async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open({ model: "tiny-model" });
  await writeFew(studio, 2);
  await expect(studio.chip).toContainText("WASM · 1 thread");
  await expect(studio.chip).toHaveAttribute(
    "title",
    /The only WebGPU adapter \(.*swiftshader.*\) computes on the CPU/i,
  );
});
