/** Runs that tests start for what happens to them. */
import { expect } from "@playwright/test";
import type { StudioPage } from "./studio-page";

/** Starts a run of so many steps that it does not end by itself, and waits until it has begun. */
export async function startEndlessRun(studio: StudioPage): Promise<void> {
  await studio.set("Steps", 1024);
  await studio.generate.click();
  await expect(studio.readout).toContainText(/step [1-9]\d* of 1024/);
}

/** Writes a text in a few steps, loading what has to be loaded. */
export async function writeFew(studio: StudioPage, steps = 4): Promise<void> {
  await studio.set("Steps", steps);
  await studio.generate.click();
  // Whichever comes first: of a run that failed, the page's words are worth more than five minutes of waiting.
  const written = studio.readout.filter({ hasText: `step ${steps} of ${steps}` });
  await expect(written.or(studio.alert).first()).toBeVisible();
  expect(await studio.alert.allTextContents()).toEqual([]);
  await expect(studio.generate).toHaveText(/^Generate/);
  await expect(studio.alert).toHaveCount(0);
}
