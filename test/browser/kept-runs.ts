/** What the browser keeps of runs, read and spoilt behind the page's back. */
import type { Page } from "@playwright/test";

/** Steps of the longest run that the browser keeps. */
export function keptSteps(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open("elf-playground");
        opening.onerror = reject;
        opening.onsuccess = () => {
          const asked = opening.result.transaction("runs").objectStore("runs").getAll();
          asked.onsuccess = () => {
            opening.result.close();
            resolve(Math.max(0, ...asked.result.map(({ folded }) => folded.frames - 1)));
          };
        };
      }),
  );
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
