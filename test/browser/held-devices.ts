/** The GPU of a page, for tests to take away. */
import type { Page } from "@playwright/test";

export interface HeldDevices {
  destroy(): Promise<void>;
  runOutOfMemory(message: string): Promise<void>;
  takeGpu(): void;
}

/** Lets a test reach the device of every worker that starts from now on, or takes the GPU away from them. */
export function holdDevices(page: Page): HeldDevices {
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
    runOutOfMemory: async (message) => {
      await page
        .workers()
        .at(-1)
        ?.evaluate((said) => {
          const { deviceUnderTest } = self as unknown as { deviceUnderTest: GPUDevice };
          const error = new GPUOutOfMemoryError(said);
          deviceUnderTest.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
        }, message);
    },
    takeGpu: () => {
      hasGpu = false;
    },
  };
}
