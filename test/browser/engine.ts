/** The worker that computes, for tests to harm. */
import type { Page, Worker } from "@playwright/test";

export function engineOf(page: Page): Worker {
  const worker = page.workers().at(-1);
  if (!worker) throw new Error("The page has no worker.");
  return worker;
}

/** How a worker may end by itself. */
export const ENDS: Record<string, () => void> = {
  "closes itself, as one that is out of memory may": () => self.close(),
  "throws where nobody catches": () => {
    setTimeout(() => {
      throw new Error("a fault of the test's");
    });
  },
};
