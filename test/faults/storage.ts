/** What the browser keeps, under the page: full, refused, cleared, damaged, of another version. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BrowserContext, expect, type Page } from "@playwright/test";
import { DENIALS, deny } from "../browser/denials";
import { damageKeptPage } from "../browser/kept-page";
import { keepBrokenRun } from "../browser/kept-runs";
import { ModelServer } from "../browser/model-server";
import { alone, lasting, type Place, type Survival } from "./fault";
import { Visitor } from "./visitor";

async function devtools(context: BrowserContext, page: Page, method: "full" | "room" | "clear"): Promise<void> {
  const session = await context.newCDPSession(page);
  const { origin } = new URL(page.url());
  if (method === "clear") await session.send("Storage.clearDataForOrigin", { origin, storageTypes: "all" });
  else if (method === "room") await session.send("Storage.overrideQuotaForOrigin", { origin });
  else await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1 });
}

/** The line under the runs that says what lasts for the visit only. */
async function notLasting({ page }: Visitor): Promise<string> {
  await expect(page.getByTestId("keeping")).not.toBeEmpty();
  return `“${lasting((await page.getByTestId("keeping").textContent()) ?? "")}”`;
}

async function fullForModels({ page, context }: Place): Promise<Survival> {
  const visitor = await Visitor.of(page);
  const server = await ModelServer.of("tiny-conditional");
  try {
    await visitor.chip.click();
    await visitor.lookUp(server.url);
    const entry = visitor.entry(/^Tiny, conditional$/);
    await expect(entry).toContainText("to download");
    await devtools(context, page, "full");
    await entry.getByRole("button", { name: "Download only" }).click();
    const sees = await visitor.alerted();
    await devtools(context, page, "room");
    const keeps = await visitor.keepsAll();
    await visitor.alert.getByRole("button", { name: "Dismiss" }).click();
    await entry.getByRole("button", { name: "Download only" }).click();
    await expect(entry).toContainText("stored on this device");
    await page.keyboard.press("Escape");
    return { sees, keeps, goesOn: `with room made, a press on Download only stores it; ${await visitor.writes()}` };
  } finally {
    await server.stop();
  }
}

async function fullForRuns({ page }: Place): Promise<Survival> {
  const visitor = await Visitor.of(page);
  const room = await page.evaluateHandle(() => {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = () => {
      throw new DOMException("The quota has been exceeded.", "QuotaExceededError");
    };
    return { make: () => Object.assign(IDBObjectStore.prototype, { put }) };
  });
  await visitor.set("Steps", 5);
  await visitor.generate.click();
  await expect(visitor.readout).toContainText("step 5 of 5");
  const sees = await notLasting(visitor);
  await expect(visitor.alert).toHaveCount(0);
  await room.evaluate(({ make }) => void make());
  const keeps = await visitor.keepsAll();
  await expect(visitor.runs).toHaveCount(2);
  return {
    sees,
    keeps: `${keeps}; the run written meanwhile until the page is closed`,
    goesOn: await visitor.writes(),
  };
}

/** As private windows of Firefox and Safari are: whatever would keep something refuses. */
async function privateWindow({ page }: Place): Promise<Survival> {
  const denial = DENIALS.find(({ name }) => name === "all of them, refusing when used");
  if (!denial) throw new Error("That denial is not there any more.");
  await deny(page, denial.script);
  const visitor = await Visitor.of(page);
  const sees = await notLasting(visitor);
  await visitor.writes();
  await expect(visitor.runs).toHaveCount(2);
  return { sees, keeps: "every run and the model until the window is closed", goesOn: await visitor.writes() };
}

async function cleared({ page, context }: Place): Promise<Survival> {
  const visitor = await Visitor.of(page);
  const text = (await visitor.stage.textContent()) ?? "";
  await devtools(context, page, "clear");
  await expect(visitor.runs).toHaveCount(1);
  await expect(visitor.stage).toHaveText(text);
  const before = await visitor.saysNothing();
  await visitor.writes();
  await expect(visitor.runs).toHaveCount(2);
  await visitor.saysNothing();
  const { runs, files } = await visitor.kept();
  expect(runs, "the run that was written afterwards").toBe(1);
  return {
    sees: before,
    keeps: `what is on the page, until it is closed; the runs written since; ${files}`,
    goesOn: "the next run is written and kept",
  };
}

/** A profile whose files of the database are overwritten while no browser has it open. */
async function corruptDatabase({ launch, folder }: Place): Promise<Survival> {
  const profile = folder();
  const before = await launch(profile);
  await Visitor.of(await before.newPage());
  await before.close();
  const databases = join(profile, "Default", "IndexedDB");
  const files = readdirSync(databases, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(2);
  for (const file of files) writeFileSync(join(file.parentPath, file.name), Buffer.alloc(4096, 0xa5));

  const after = await launch(profile);
  const visitor = new Visitor(await after.newPage());
  await visitor.opened();
  const sees = await visitor.saysNothing();
  const found = await visitor.runs.count();
  await visitor.writes();
  const { runs, setting, files: models } = await visitor.kept();
  expect(setting).toBe(true);
  expect(runs).toBeGreaterThan(0);
  return {
    sees: `${sees}; ${found === 0 ? "an empty shelf" : "the runs"}`,
    keeps: `the settings; ${models}; what the database held is gone`,
    goesOn: "the next run is written and kept",
  };
}

async function brokenRun({ page }: Place): Promise<Survival> {
  const visitor = await Visitor.of(page);
  await keepBrokenRun(page);
  await page.reload();
  const sees = await visitor.alerted();
  await expect(visitor.runs).toHaveCount(1);
  await visitor.alert.getByRole("button", { name: "Delete it" }).click();
  await expect(visitor.alert).toHaveCount(0);
  const keeps = await visitor.keepsAll();
  return { sees, keeps, goesOn: `a press on Delete it takes it away; ${await visitor.writes()}` };
}

/** As a newer version of the page leaves it, which an older one in another tab, or from a cache, then finds. */
async function laterDatabase({ page }: Place): Promise<Survival> {
  const visitor = await Visitor.of(page);
  await page.goto("./favicon.svg");
  await page.evaluate(async () => {
    const opening = indexedDB.open("elf-playground", 99);
    await new Promise((resolve, reject) => {
      opening.onsuccess = resolve;
      opening.onerror = reject;
    });
    opening.result.close();
  });
  await visitor.opened();
  const sees = await notLasting(visitor);
  await visitor.writes();
  const left = await page.evaluate(async () => {
    const opening = indexedDB.open("elf-playground");
    await new Promise((resolve) => {
      opening.onsuccess = resolve;
    });
    const count = opening.result.transaction("runs").objectStore("runs").count();
    return new Promise<number>((resolve) => {
      count.onsuccess = () => resolve(count.result);
    });
  });
  expect(left, "runs in the newer version's database").toBe(1);
  return {
    sees,
    keeps: "every run, for the newer version; the settings",
    goesOn: "the next run is written, for this visit",
  };
}

/** Changes a byte in the middle of the largest file of the store. */
async function damagedModel({ page }: Place): Promise<Survival> {
  const visitor = await Visitor.of(page);
  await page.goto("./favicon.svg");
  await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const files = await (await root.getDirectoryHandle("elf-models")).getDirectoryHandle("files");
    let largest: { handle: FileSystemFileHandle; bytes: Uint8Array<ArrayBuffer> } | undefined;
    for await (const [name, handle] of files as unknown as AsyncIterable<[string, FileSystemFileHandle]>) {
      if (name.includes(".")) continue;
      const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
      if (bytes.length > (largest?.bytes.length ?? 0)) largest = { handle, bytes };
    }
    if (!largest) throw new Error("No model is stored.");
    const middle = largest.bytes.length >> 1;
    largest.bytes.fill((largest.bytes[middle] ?? 0) ^ 1, middle, middle + 1);
    const writing = await largest.handle.createWritable();
    await writing.write(largest.bytes);
    await writing.close();
  });
  expect(Object.values(await visitor.stored())).toContain("wrong bytes");
  await visitor.opened();
  const written = await visitor.writes();
  const keeps = await visitor.keepsAll();
  return { sees: await visitor.saysNothing(), keeps, goesOn: `the file is fetched once more; ${written}` };
}

/** Every file that the service worker keeps of the page, replaced by bytes that are none of it. */
async function corruptPage({ launch, folder }: Place): Promise<Survival> {
  const context = await launch(folder(), { serviceWorkers: "allow" });
  const page = await context.newPage();
  const visitor = await Visitor.of(page);
  await expect.poll(() => page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);
  await damageKeptPage(page);
  await visitor.opened();
  const sees = await visitor.saysNothing();
  const written = await visitor.writes();
  const keeps = await visitor.keepsAll();
  return { sees, keeps, goesOn: `what is damaged is fetched and kept anew; ${written}` };
}

export const storage = [
  alone("storage that fills up under a download", fullForModels),
  alone("storage that is full when a run is written", fullForRuns),
  alone("a private window, which keeps nothing", privateWindow),
  alone("storage that is cleared under a running page", cleared),
  alone("a database of runs that is damaged on the disk", corruptDatabase),
  alone("a kept run that no version of the page has written", brokenRun),
  alone("a database of runs that a newer version of the page has taken", laterDatabase),
  alone("a stored model of which a byte has changed on the disk", damagedModel),
  alone("a kept page whose every file is damaged", corruptPage),
];
