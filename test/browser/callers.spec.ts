import { join } from "node:path";
import { expect, test } from "@playwright/test";
import type { SamplerSettings } from "../../src/flow/settings";
import { buildPage, servePage } from "./built-page";
import type {} from "./callers/page";
import { ModelServer } from "./model-server";

const settings: SamplerSettings = {
  steps: 12,
  method: "sde",
  gamma: 1,
  selfCondScale: 1,
  cfgScale: 1,
  schedule: "uniform",
  solver: "euler",
  rng: "original",
  seed: 3,
  length: 16,
};

let page: Awaited<ReturnType<typeof servePage>>;
let model: ModelServer;

test.beforeAll(async () => {
  const built = { root: join(import.meta.dirname, "callers"), outDir: test.info().outputPath("callers") };
  await buildPage(built);
  page = await servePage(built);
  model = await ModelServer.of("tiny-model");
});
test.afterAll(async () => {
  await page.close();
  await model.stop();
});

test.beforeEach(async ({ page: tab }) => {
  await tab.goto(page.url);
  await tab.waitForFunction(() => window.engine !== undefined);
  await tab.evaluate((baseUrl) => window.engine.load({ baseUrl, backend: "wasm" }, () => {}), model.url);
});

test("two runs asked for at once by two callers are both written to their end, in turn", async ({ page: tab }) => {
  const { runs, order } = await tab.evaluate(async (wanted) => {
    const order: string[] = [];
    const write = (caller: string, seed: number) =>
      window.engine.generate({ settings: { ...wanted, seed } }, ({ type }) => order.push(`${caller} ${type}`));
    return { runs: await Promise.all([write("first", 3), write("second", 4)]), order };
  }, settings);
  expect(runs.map(({ status }) => status)).toEqual(["done", "done"]);
  expect(runs[0]?.text).not.toBe(runs[1]?.text);
  const own = (caller: string) => [`${caller} start`, ...Array<string>(13).fill(`${caller} frame`)];
  expect(order).toEqual([...own("first"), ...own("second")]);
});

test("a caller that ends its run ends no other's, neither the one under way nor the one that waits", async ({
  page: tab,
}) => {
  const { statuses, again } = await tab.evaluate(async (wanted) => {
    const { engine } = window;
    const abort = new AbortController();
    let begun = () => {};
    const first = engine.generate({ settings: wanted }, () => begun());
    const begins = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const ended = engine.generate({ settings: { ...wanted, steps: 1000 } }, () => {}, abort.signal);
    const last = engine.generate({ settings: wanted }, () => {});
    await begins;
    abort.abort();
    const runs = await Promise.all([first, ended, last]);

    // The same for one that has begun: what it wrote stays, and the next is as if it had not been.
    const stop = new AbortController();
    let frames = 0;
    const stopped = engine.generate(
      { settings: { ...wanted, steps: 1000 } },
      ({ type }) => type === "frame" && ++frames === 3 && stop.abort(),
      stop.signal,
    );
    const next = engine.generate({ settings: wanted }, () => {});
    return {
      statuses: runs.map(({ status }) => status),
      again: { stopped: await stopped, frames, next: await next, same: (await next).text === runs[0]?.text },
    };
  }, settings);
  expect(statuses).toEqual(["done", "cancelled", "done"]);
  expect(again.stopped.status).toBe("cancelled");
  expect(again.stopped.text).not.toBe("");
  expect(again.frames).toBeLessThan(1000);
  expect(again.next.status).toBe("done");
  expect(again.same).toBe(true);
});

test("a run is written by the model that was loaded when it was asked for", async ({ page: tab }) => {
  const other = await ModelServer.of("tiny-two-pass");
  const written = await tab.evaluate(
    async ([wanted, baseUrl]) => {
      const { engine } = window;
      const texts: string[] = [];
      const before = engine.generate({ settings: wanted }, () => {}).then(({ text }) => texts.push(text));
      const loading = engine.load({ baseUrl, backend: "wasm" }, () => {}).then(({ manifest }) => manifest.name);
      const after = engine.generate({ settings: wanted }, () => {}).then(({ text }) => texts.push(text));
      const name = await loading;
      await Promise.all([before, after]);
      return { texts, name };
    },
    [settings, other.url] as const,
  );
  await other.stop();
  expect(written.name).toBe("tiny-two-pass");
  expect(written.texts).toHaveLength(2);
  expect(written.texts[0]).not.toBe(written.texts[1]);
});
