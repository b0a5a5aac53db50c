import { expect, type Page, test } from "@playwright/test";
import { startEndlessRun, writeFew } from "./runs";
import { StudioPage } from "./studio-page";

/** Lets the test reach the device of every worker that starts from now on, or takes the GPU away from them. */
function holdDevices(page: Page): { destroy(): Promise<void>; takeGpu(): void } {
  let hasGpu = true;
  page.on("worker", (worker) => {
    void worker.evaluate((offered) => {
      const request = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (descriptor) {
        const device = await request.call(this, descriptor);
        Object.assign(self, { deviceUnderTest: device });
        return device;
      };
      if (!offered) GPU.prototype.requestAdapter = async () => null;
    }, hasGpu);
  });
  return {
    destroy: async () => {
      await page
        .workers()
        .at(-1)
        ?.evaluate(() => (self as unknown as { deviceUnderTest: GPUDevice }).deviceUnderTest.destroy());
    },
    takeGpu: () => {
      hasGpu = false;
    },
  };
}

test("a GPU lost in a run: its frames stay, the engine is restored on the GPU, and the next run works", async ({
  page,
}) => {
  const studio = new StudioPage(page);
  const devices = holdDevices(page);
  await studio.open({ backend: "webgpu", model: "tiny-model" });
  await startEndlessRun(studio);
  await devices.destroy();
  await expect(studio.alert).toHaveAttribute("data-code", "device-lost");
  await expect(studio.alert).toContainText(/the engine was restored \(WebGPU · (fused|plain) attention\)/);
  await expect(studio.runs.first()).toContainText(/Failed at step [1-9]\d* of 1024/);
  await expect(studio.chip).toContainText("WebGPU");
  await writeFew(studio);
  expect(studio.faults).toEqual([]);
});

test("a GPU that does not come back is given up for wasm", async ({ page }) => {
  const studio = new StudioPage(page);
  const devices = holdDevices(page);
  await studio.open({ backend: "webgpu", model: "tiny-model" });
  await startEndlessRun(studio);
  devices.takeGpu();
  await devices.destroy();
  await expect(studio.alert).toContainText(/the engine was restored \(WASM · 1 thread\)/);
  await expect(studio.chip).toContainText("WASM");
  await writeFew(studio);
  await expect(studio.runs.first()).toContainText("WASM");
});

test("a GPU lost between two runs is had again with the next press", async ({ page }) => {
  const studio = new StudioPage(page);
  const devices = holdDevices(page);
  await studio.open({ backend: "webgpu", model: "tiny-model" });
  await writeFew(studio, 2);
  await devices.destroy();
  await expect(studio.chip).toContainText("not loaded");
  await writeFew(studio, 3);
  await expect(studio.chip).toContainText("WebGPU");
});

test("memory that ran out on the GPU ends the run by name, and the engine is restored", async ({ page }) => {
  const studio = new StudioPage(page);
  holdDevices(page);
  await studio.open({ backend: "webgpu", model: "tiny-model" });
  await startEndlessRun(studio);
  await page
    .workers()
    .at(-1)
    ?.evaluate(() => {
      const { deviceUnderTest } = self as unknown as { deviceUnderTest: GPUDevice };
      const error = new GPUOutOfMemoryError("no room for a buffer");
      deviceUnderTest.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
    });
  await expect(studio.alert).toHaveAttribute("data-code", "out-of-memory");
  await expect(studio.alert).toContainText(/no room for a buffer.*What was written is kept/);
  await expect(studio.alert).toContainText("the engine was restored");
  await writeFew(studio);
});
