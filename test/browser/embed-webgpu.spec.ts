/** `<elf-playground>` on a GPU, under a policy that its worker has, too. The number is that of the point in docs/embed.md. */
import { expect, type Page, test } from "@playwright/test";
import type {} from "../../src/embed/main";
import { EmbedHost } from "./embed-host";
import { slow } from "./slow";

let host: EmbedHost;
test.beforeAll(async () => {
  host = await EmbedHost.start();
});
test.afterAll(() => host.stop());

/** The adapter in software says that it is a real one: of itself nothing would be tried on it. `more` is done to it, too. */
const pretend = (more: string) => `{
  const ask = navigator.gpu.requestAdapter.bind(navigator.gpu);
  navigator.gpu.requestAdapter = async (options) => {
    const adapter = await ask(options);
    Object.defineProperty(adapter, "info", { value: { vendor: "tested", architecture: "", device: "", description: "tested" } });
    ${more}
    return adapter;
  };
}\n`;

/** Writes a text and says on what. */
async function write(page: Page): Promise<unknown> {
  await page.goto(
    host.page("gpu", '<elf-playground model="tiny-model" trace="/traces/stories.json"></elf-playground>'),
  );
  await expect(page.getByTestId("readout")).toContainText("step 32 of 32");
  return page.locator("elf-playground").evaluate(async (element: HTMLElementTagNameMap["elf-playground"]) => {
    const told: unknown[] = [];
    element.addEventListener("elf-load", ({ detail }) => told.push(detail));
    const { status } = await element.generate({ seed: 1, settings: { steps: 2 } });
    return { status, ready: told.at(-1) };
  });
}

test(
  "15: a policy that lets no code be made from text, in the worker too, costs no GPU",
  slow("a load on a GPU in software"),
  async ({ page }) => {
    const faults: string[] = [];
    page.on("pageerror", ({ message }) => faults.push(message));
    host.beforeWorker = pretend("");
    expect(await write(page)).toMatchObject({
      status: "done",
      ready: { phase: "ready", backend: "webgpu", reason: "The GPU (tested) passed the model's self-test." },
    });
    expect(faults).toEqual([]);
  },
);

test("15: where it does cost it, the trace plays, WebAssembly writes, and the reason is told", async ({ page }) => {
  host.beforeWorker = pretend("adapter.requestDevice = async () => { new Function('return 1'); };");
  expect(await write(page)).toMatchObject({
    status: "done",
    ready: {
      phase: "ready",
      backend: "wasm",
      reason: expect.stringMatching(/^The GPU \(tested\) failed: .*unsafe-eval/),
    },
  });
});
