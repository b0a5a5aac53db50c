import type { Page } from "@playwright/test";

/** Holds back what a page asks for at addresses of this form (as `page.route` takes them), until what it returns is called. */
export async function heldBack(page: Page, address: string): Promise<() => void> {
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  await page.route(address, async (route) => {
    await arrived;
    await route.continue();
  });
  return arrive;
}
