/** What the browser keeps of runs, read and spoilt behind the page's back. */
import type { Page } from "@playwright/test";

/** Steps of every run that the browser keeps. */
function stepsKept(page: Page): Promise<number[]> {
  return page.evaluate(
    () =>
      new Promise<number[]>((resolve, reject) => {
        const opening = indexedDB.open("elf-playground");
        opening.onerror = reject;
        opening.onsuccess = () => {
          const asked = opening.result.transaction("runs").objectStore("runs").getAll();
          asked.onsuccess = () => {
            opening.result.close();
            resolve(asked.result.map(({ folded }) => folded.frames - 1));
          };
        };
      }),
  );
}

/** Steps of the longest run that the browser keeps. */
export async function keptSteps(page: Page): Promise<number> {
  return Math.max(0, ...(await stepsKept(page)));
}

/** How many runs the browser keeps. */
export async function keptRuns(page: Page): Promise<number> {
  return (await stepsKept(page)).length;
}

/** Puts a run on the shelf of earlier visits that no version of this page has ever written. */
export async function keepBrokenRun(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const request = indexedDB.open("elf-playground");
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const run = {
      id: "broken",
      startedAt: 5,
      origin: "generated",
      status: "done",
      pieces: [],
      text: "",
      trajectory: {},
    };
    const writing = database.transaction("runs", "readwrite");
    writing.objectStore("runs").put(run);
    await new Promise((resolve) => {
      writing.oncomplete = resolve;
    });
    database.close();
  });
}
