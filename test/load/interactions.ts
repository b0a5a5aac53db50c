/** How long a page takes to answer those who press and type. */
import type { Page } from "playwright-core";

/** What was pressed and typed since the last time it was asked. */
export interface Answers {
  readonly interactions: number;
  /** Milliseconds from the press to the picture that shows its effect, of the slowest but for one in fifty: web.dev's INP. */
  readonly slowest: number;
  /** Milliseconds of the longest task of the page. */
  readonly longestTask: number;
}

/** Interactions of which one may be slower than what is counted. */
const OF_WHICH_ONE = 50;

interface Watched {
  /** By the number that the browser gives an interaction. */
  readonly durations: Map<number, number>;
  tasks: number[];
}

/** Watches a page from its beginning; the browser tells durations in steps of 8 ms, and none under 16. */
export async function watchInteractions(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const watched: Watched = { durations: new Map(), tasks: [] };
    Object.assign(globalThis, { watched });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as PerformanceEventTiming[]) {
        const { interactionId, duration } = entry;
        if (interactionId)
          watched.durations.set(interactionId, Math.max(watched.durations.get(interactionId) ?? 0, duration));
      }
    }).observe({ type: "event", durationThreshold: 16, buffered: true } as PerformanceObserverInit);
    new PerformanceObserver((list) => {
      watched.tasks.push(...list.getEntries().map(({ duration }) => duration));
    }).observe({ type: "longtask", buffered: true });
  });
}

/** What came of `presses` interactions since the last time; those that were answered at once are among them. */
export async function answersOf(page: Page, presses: number): Promise<Answers> {
  // The picture of the last one.
  await page.waitForTimeout(400);
  const [durations, tasks] = await page.evaluate(() => {
    const { watched } = globalThis as unknown as { watched: Watched };
    const seen = [[...watched.durations.values()], watched.tasks] as const;
    watched.durations.clear();
    watched.tasks = [];
    return seen;
  });
  return { interactions: presses, slowest: slowestOf(durations, presses), longestTask: Math.max(0, ...tasks) };
}

/** The longest of the durations, but for one in each fifty interactions. */
export function slowestOf(durations: readonly number[], interactions: number): number {
  const sorted = durations.toSorted((a, b) => b - a);
  return sorted[Math.floor(interactions / OF_WHICH_ONE)] ?? 0;
}
