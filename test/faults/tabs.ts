/** What happens to tabs: hidden, frozen, left, reloaded, several at once, and the clock behind them. */
import { expect, type Page } from "@playwright/test";
import { keptSteps } from "../browser/kept-runs";
import { ModelServer } from "../browser/model-server";
import { startEndlessRun } from "../browser/runs";
import { alone, type Place, type Survival, scene } from "./fault";
import { Visitor } from "./visitor";

async function comesToItsEnd({ readout, generate }: Visitor): Promise<void> {
  await expect(readout).toContainText("step 1024 of 1024");
  await expect(generate).toHaveText(/^Generate/);
}

/** The page is told that nobody sees it, and no frame is drawn any more. */
async function hidden({ page }: Place): Promise<Survival> {
  const visitor = await Visitor.of(page);
  await startEndlessRun(visitor);
  visitor.begun();
  const show = (isHidden: boolean) =>
    page.evaluate((hide) => {
      const state = hide ? "hidden" : "visible";
      Object.defineProperty(Document.prototype, "visibilityState", { configurable: true, get: () => state });
      Object.defineProperty(Document.prototype, "hidden", { configurable: true, get: () => hide });
      const world = globalThis as { drawing?: typeof requestAnimationFrame };
      world.drawing ??= requestAnimationFrame;
      globalThis.requestAnimationFrame = hide ? () => 0 : world.drawing;
      document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden);
  await show(true);
  const before = await keptSteps(page);
  await expect.poll(() => keptSteps(page)).toBeGreaterThan(before);
  await show(false);
  await comesToItsEnd(visitor);
  const sees = await visitor.saysNothing();
  const keeps = await visitor.keepsAll();
  return { sees, keeps, goesOn: `the run goes on while it is hidden, and to its end; ${await visitor.writes()}` };
}

async function frozen({ page, context }: Place): Promise<Survival> {
  const visitor = await Visitor.of(page);
  await startEndlessRun(visitor);
  visitor.begun();
  const devtools = await context.newCDPSession(page);
  await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await devtools.send("Page.setWebLifecycleState", { state: "active" });
  await comesToItsEnd(visitor);
  const sees = await visitor.saysNothing();
  const keeps = await visitor.keepsAll();
  return { sees, keeps, goesOn: `the run goes on when the tab does, and to its end; ${await visitor.writes()}` };
}

/** Playwright switches the cache off, and the headless shell has none: Chromium itself is taken. */
async function backForward({ launch, folder }: Place): Promise<Survival> {
  const { CHROMIUM } = process.env;
  const context = await launch(folder(), {
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
    ...(CHROMIUM ? { executablePath: CHROMIUM } : {}),
  });
  const page = await context.newPage();
  await page.addInitScript(() => {
    addEventListener("pageshow", ({ persisted }) => Object.assign(globalThis, { isRestored: persisted }));
  });
  const visitor = await Visitor.of(page);
  await startEndlessRun(visitor);
  visitor.begun();
  await page.goto("./favicon.svg");
  // A page that is restored does not load, which is what `goBack` waits for.
  await page.evaluate(() => setTimeout(() => history.back(), 50));
  await expect(visitor.generate).toBeVisible();
  expect(await page.evaluate(() => (globalThis as { isRestored?: boolean }).isRestored)).toBe(true);
  await comesToItsEnd(visitor);
  await expect(visitor.runs).toHaveCount(2);
  const sees = await visitor.saysNothing();
  const keeps = await visitor.keepsAll();
  return { sees, keeps, goesOn: `the run goes on where it was, and to its end; ${await visitor.writes()}` };
}

async function reloaded({ page }: Place): Promise<Survival> {
  const visitor = await Visitor.of(page);
  await startEndlessRun(visitor);
  visitor.begun();
  await expect.poll(() => keptSteps(page), { intervals: [50] }).toBeGreaterThan(20);
  await page.reload();
  const run = visitor.runs.filter({ hasText: "1024 steps" });
  await expect(run).toContainText(/Stopped at step [1-9]\d+ of 1024/);
  await run.getByRole("button").first().click();
  await expect(visitor.readout).toContainText("of 1024");
  await expect(visitor.stage).not.toBeEmpty();
  const keeps = `${await visitor.keepsAll()}, the one cut off up to its last second`;
  return { sees: "on its card: “Stopped at step … of 1024”", keeps, goesOn: await visitor.writes() };
}

async function clockSetBack({ page }: Place): Promise<Survival> {
  const visitor = await Visitor.of(page);
  const yearsBack = (page: Page) =>
    page.evaluate(() => {
      const now = Date.now;
      Date.now = () => now() - 3 * 365 * 24 * 3600 * 1000;
    });
  await yearsBack(page);
  await visitor.writes();
  await expect(visitor.readout).toContainText("step 4 of 4");
  const sees = await visitor.saysNothing();
  return { sees, keeps: await visitor.keepsAll(), goesOn: await visitor.writes() };
}

/** Two tabs, each with a run of its own, and a server of another model. */
interface Two {
  readonly one: Visitor;
  readonly other: Visitor;
  readonly server: ModelServer;
}

const TITLE = /^Tiny, conditional$/;

async function twoTabs({ page, context }: Place): Promise<Two> {
  const one = await Visitor.of(page);
  const other = new Visitor(await context.newPage());
  await other.page.emulateMedia({ reducedMotion: "reduce" });
  await other.opened();
  await expect(other.runs).toHaveCount(1);
  return { one, other, server: await ModelServer.of("tiny-conditional") };
}

const bothDo = ({ one, other }: Two, task: (visitor: Visitor) => Promise<unknown>) =>
  Promise.all([one, other].map(task));

async function bothDownload(two: Two): Promise<Survival> {
  const { one, server } = two;
  await bothDo(two, async (visitor) => {
    await visitor.chip.click();
    await visitor.lookUp(server.url);
    await expect(visitor.entry(TITLE)).toContainText("to download");
  });
  server.treat(({ path }) => (path.endsWith(".bin") ? { slow: 60 } : {}));
  await bothDo(two, (visitor) => visitor.entry(TITLE).getByRole("button", { name: "Download only" }).click());
  await bothDo(two, (visitor) => expect(visitor.entry(TITLE)).toContainText("stored on this device"));
  const paths = server.filesAsked.map(({ path }) => path);
  expect(paths.length, "each file is asked for once").toBe(new Set(paths).size);
  const sees = "the download, in both";
  return { sees, keeps: await one.keepsAll(), goesOn: "each file is fetched once between them, and stored in both" };
}

async function bothDelete(two: Two): Promise<Survival> {
  const { one } = two;
  await bothDo(two, (visitor) => visitor.entry(TITLE).getByRole("button", { name: "Delete…" }).click());
  await bothDo(two, (visitor) =>
    visitor
      .entry(TITLE)
      .getByRole("button", { name: /^Delete \d/ })
      .click(),
  );
  await bothDo(two, (visitor) => expect(visitor.entry(TITLE)).toHaveCount(0));
  await bothDo(two, (visitor) => visitor.saysNothing());
  await bothDo(two, (visitor) => visitor.page.keyboard.press("Escape"));
  const keeps = await one.keepsAll();
  return { sees: "nothing", keeps, goesOn: `the model is gone in both; ${await one.writes()}` };
}

async function bothWrite(two: Two): Promise<Survival> {
  const { one, other } = two;
  const before = await one.runs.count();
  await bothDo(two, async (visitor) => {
    await visitor.set("Steps", 6);
    await visitor.generate.click();
  });
  one.begun();
  one.begun();
  await bothDo(two, (visitor) => expect(visitor.runs).toHaveCount(before + 2));
  await bothDo(two, (visitor) => expect(visitor.generate).toHaveText(/^Generate/));
  await bothDo(two, (visitor) => visitor.saysNothing());
  const keeps = await one.keepsAll();
  await other.writes();
  await expect(one.runs).toHaveCount(before + 3);
  return { sees: "both runs, in both", keeps, goesOn: "the next run is written, and is in both" };
}

export const tabs = [
  alone("a tab that is hidden in a run", hidden),
  alone("a tab that is frozen in a run", frozen),
  alone("a page restored from the back-forward cache", backForward),
  alone("a reload in the middle of a run", reloaded),
  alone("a clock that is set back three years", clockSetBack),
  scene<Two>(
    "two tabs",
    "page",
    twoTabs,
    {
      "two tabs that download one model at once": bothDownload,
      "two tabs that delete one model at once": bothDelete,
      "two tabs that write to the shelf at once": bothWrite,
    },
    ({ server }) => server.stop(),
  ),
];
