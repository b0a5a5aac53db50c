import { expect, test } from "@playwright/test";
import { holdDevices } from "./held-devices";
import { startEndlessRun, writeFew } from "./runs";
import { slow } from "./slow";
import { StudioPage } from "./studio-page";

/** One page for all of them: to load a model on a GPU in software is dear, and a page outlives more than one loss. */
test(
  "a GPU that is lost, between runs or in one, is had again, and where it does not come back, wasm is",
  slow("a GPU in software loads a model four times"),
  async ({ page }) => {
    const studio = new StudioPage(page);
    const devices = holdDevices(page);
    await studio.open({ backend: "webgpu", model: "tiny-model" });

    await test.step("lost in a run: its frames stay, the engine is restored on the GPU, and the next run works", async () => {
      await startEndlessRun(studio);
      await devices.destroy();
      await expect(studio.alert).toHaveAttribute("data-code", "device-lost");
      await expect(studio.alert).toContainText(/the engine was restored \(WebGPU · (fused|plain) attention\)/);
      await expect(studio.runs.first()).toContainText(/Failed at step [1-9]\d* of 1024/);
      await expect(studio.chip).toContainText("WebGPU");
      await writeFew(studio);
      expect(studio.faults).toEqual([]);
    });

    await test.step("lost between two runs: it is had again with the next press", async () => {
      await devices.destroy();
      await expect(studio.chip).toContainText("not loaded");
      await writeFew(studio, 3);
      await expect(studio.chip).toContainText("WebGPU");
    });

    await test.step("memory that ran out on it ends the run by name, and the engine is restored", async () => {
      await startEndlessRun(studio);
      await devices.runOutOfMemory("no room for a buffer");
      await expect(studio.alert).toHaveAttribute("data-code", "out-of-memory");
      await expect(studio.alert).toContainText(/no room for a buffer.*What was written is kept/);
      await expect(studio.alert).toContainText("the engine was restored");
      await writeFew(studio);
    });

    await test.step("one that does not come back is given up for wasm", async () => {
      await startEndlessRun(studio);
      devices.takeGpu();
      await devices.destroy();
      await expect(studio.alert).toContainText(/the engine was restored \(WASM · 1 thread\)/);
      await expect(studio.chip).toContainText("WASM");
      await writeFew(studio);
      await expect(studio.runs.first()).toContainText("WASM");
    });
  },
);
