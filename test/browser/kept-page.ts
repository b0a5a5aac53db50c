/** What the service worker keeps of the page, spoilt behind its back. */
import type { Page } from "@playwright/test";

/** Puts other bytes into every file that is kept, as a failing disk may, and ends the worker, which has seen the right ones. */
export async function damageKeptPage(page: Page): Promise<void> {
  await page.evaluate(async () => {
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) {
        const { headers = {} } = (await cache.match(request)) ?? {};
        await cache.put(request, new Response("\u0000 damaged", { headers }));
      }
    }
  });
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("ServiceWorker.enable");
  await devtools.send("ServiceWorker.stopAllWorkers");
  await devtools.detach();
}
