/** What computes, harmed: its worker, its memory, its GPU. */
import { expect } from "@playwright/test";
import { deny } from "../browser/denials";
import { engineOf } from "../browser/engine";
import { type HeldDevices, holdDevices } from "../browser/held-devices";
import { ModelServer } from "../browser/model-server";
import { startEndlessRun } from "../browser/runs";
import { type Place, type Survival, scene } from "./fault";
import { Visitor } from "./visitor";

/** A run on its way is harmed: its frames stay, and the next one is written. */
async function harmed(visitor: Visitor, harm: () => Promise<unknown>): Promise<Survival> {
  await startEndlessRun(visitor);
  visitor.begun();
  await harm();
  const sees = await visitor.alerted();
  await expect(visitor.runs.first()).toContainText(/Failed at step [1-9]\d* of 1024/);
  return {
    sees,
    keeps: `${await visitor.keepsAll()}, the broken one up to its last step`,
    goesOn: await visitor.writes(),
  };
}

async function hanging(visitor: Visitor): Promise<Survival> {
  await startEndlessRun(visitor);
  visitor.begun();
  await engineOf(visitor.page).evaluate(() => {
    setTimeout(() => {
      for (;;);
    });
  });
  // Nothing can tell that a worker hangs from one that is slow but the person, who has a button.
  await expect(visitor.cancel).toBeVisible();
  const sees = `the step that it stands at, and the button ${(await visitor.cancel.textContent())?.trim()}`;
  await visitor.cancel.click();
  await expect(visitor.generate).toHaveText(/^Generate/);
  await expect(visitor.runs.first()).toContainText(/Stopped at step [1-9]\d* of 1024/);
  await visitor.saysNothing();
  const keeps = `${await visitor.keepsAll()}, the stopped one up to its last step`;
  return { sees, keeps, goesOn: `a press on it ends the worker; ${await visitor.writes()}` };
}

/** Memory for the runtime itself, and none for a model. */
async function noMemory({ page, context }: Place): Promise<Survival> {
  await Visitor.of(page);
  await page.close();
  const poor = await context.newPage();
  await deny(
    poor,
    `WebAssembly.Memory = class extends WebAssembly.Memory {
      constructor(asked) { super({ ...asked, maximum: asked.initial }); }
    };`,
  );
  const visitor = new Visitor(poor);
  await visitor.opened({ backend: "wasm", model: "stories" }, 1);
  await visitor.set("Steps", 2);
  await visitor.generate.click();
  const sees = await visitor.alerted();
  const keeps = await visitor.keepsAll();
  await poor.unrouteAll();
  const rich = await context.newPage();
  await poor.close();
  const later = new Visitor(rich);
  await later.opened();
  return { sees, keeps, goesOn: `with memory free again, ${await later.writes()}` };
}

async function laterSchema({ page }: Place): Promise<Survival> {
  const visitor = await Visitor.of(page);
  const server = await ModelServer.of("tiny-conditional");
  try {
    server.rewrite((manifest) => Object.assign(manifest, { schemaVersion: 99 }));
    await visitor.chip.click();
    await visitor.lookUp(server.url);
    const sees = await visitor.alerted();
    const keeps = await visitor.keepsAll();
    await visitor.alert.getByRole("button", { name: "Dismiss" }).click();
    await page.keyboard.press("Escape");
    return { sees, keeps, goesOn: await visitor.writes() };
  } finally {
    await server.stop();
  }
}

export const engine = [
  scene("the worker", "page", ({ page }) => Visitor.of(page), {
    "a worker that is killed in a run": (visitor) =>
      harmed(visitor, () => engineOf(visitor.page).evaluate(() => self.close())),
    "a worker that hangs in a run": hanging,
  }),
  scene("memory", "page", async (place) => place, { "memory that runs out in wasm": noMemory }),
  scene("a later model", "page", async (place) => place, { "a model of a later schema version": laterSchema }),
];

interface Gpu {
  readonly visitor: Visitor;
  readonly devices: HeldDevices;
}

const GPU = { backend: "webgpu", model: "tiny-model" };

/** To load a model on a GPU in software is dear: one page for all of them. */
export const gpu = scene<Gpu>(
  "the GPU",
  "gpu",
  async ({ page }) => {
    const devices = holdDevices(page);
    return { visitor: await Visitor.of(page, GPU), devices };
  },
  {
    "a GPU that is lost between two runs": async ({ visitor, devices }) => {
      await devices.destroy();
      await expect(visitor.chip).toContainText("not loaded");
      await visitor.saysNothing();
      const keeps = await visitor.keepsAll();
      const goesOn = `the next press loads the model again; ${await visitor.writes()}`;
      await expect(visitor.chip).toContainText("WebGPU");
      return { sees: "at the model's name: “not loaded”", keeps, goesOn };
    },
    "a GPU that is lost in a run": async ({ visitor, devices }) => {
      const survival = await harmed(visitor, () => devices.destroy());
      await expect(visitor.chip).toContainText("WebGPU");
      return survival;
    },
    "memory that runs out on the GPU": ({ visitor, devices }) =>
      harmed(visitor, () => devices.runOutOfMemory("no room for a buffer")),
    "a GPU that is lost in a run and does not come back": async ({ visitor, devices }) => {
      const survival = await harmed(visitor, async () => {
        devices.takeGpu();
        await devices.destroy();
      });
      await expect(visitor.chip).toContainText("WASM");
      return { ...survival, goesOn: `${survival.goesOn}, by wasm` };
    },
    "a GPU that is lost before a run, and does not come back": async ({ visitor, devices }) => {
      devices.takeGpu();
      await visitor.opened(GPU);
      await visitor.set("Steps", 2);
      await visitor.generate.click();
      const sees = await visitor.alerted();
      const keeps = await visitor.keepsAll();
      const before = await visitor.runs.count();
      await visitor.alert.getByRole("link", { name: "Use WASM" }).click();
      await expect(visitor.alert).toHaveCount(0);
      await expect(visitor.runs).toHaveCount(before);
      return { sees, keeps, goesOn: `by the alert's link to wasm; ${await visitor.writes()}` };
    },
  },
);
