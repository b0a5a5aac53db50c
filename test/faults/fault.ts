/** What a fault is to the harness: something that is done to a page or a command, and what came of it. */
import type { Browser, BrowserContext, BrowserContextOptions, LaunchOptions, Page } from "@playwright/test";

/** What was observed: three cells of the table. */
export interface Survival {
  readonly sees: string;
  readonly keeps: string;
  readonly goesOn: string;
}

/** Where a scene plays. */
export interface Place {
  /** Of the browser that all scenes share, in a context of its own. */
  readonly page: Page;
  readonly context: BrowserContext;
  readonly browser: Browser;
  /** Starts a browser whose profile lies in a folder; what is kept there outlives it. */
  launch(profile: string, options?: BrowserContextOptions & LaunchOptions): Promise<BrowserContext>;
  /** An empty folder, gone when the scene is over. */
  folder(): string;
}

/** Faults that share a page, or a toy: each survives the one before. */
export interface Scene {
  readonly title: string;
  readonly on: "page" | "gpu" | "command";
  readonly faults: readonly string[];
  play(place: Place, tell: (fault: string, survival: Survival) => void): Promise<void>;
}

/** A scene of what `begin` prepares, and of faults by name, each with what does it and observes. */
export function scene<Stage>(
  title: string,
  on: Scene["on"],
  begin: (place: Place) => Promise<Stage>,
  faults: Readonly<Record<string, (stage: Stage) => Promise<Survival>>>,
  end: (stage: Stage) => Promise<void> = async () => {},
): Scene {
  return {
    title,
    on,
    faults: Object.keys(faults),
    play: async (place, tell) => {
      const stage = await begin(place);
      try {
        for (const [fault, survive] of Object.entries(faults)) {
          const survival = await survive(stage).catch((error: unknown) => {
            throw new Error(`Not survived: ${fault}. ${String(error)}`, { cause: error });
          });
          tell(fault, survival);
        }
      } finally {
        await end(stage);
      }
    },
  };
}

/** A scene of one fault, on a page of its own. */
export const alone = (title: string, survive: (place: Place) => Promise<Survival>): Scene =>
  scene(title, "page", async (place) => place, { [title]: survive });

/**
 * Words as they are every time: what differs from run to run, or with the fixtures, is left out, which is addresses, folders,
 * checksums, sizes, seconds, and steps that were reached.
 */
export function lasting(words: string): string {
  return words
    .replace(/(https?:\/\/)?127\.0\.0\.1(:\d+)?/g, "HOST")
    .replace(/\b[0-9a-f]{8,64}…?(?=\W|$)/g, "…")
    .replace(/\b\d+([.,]\d+)? (bytes|kB|MB|GB|s|seconds)\b/g, "… $2")
    .replace(/\b(step|byte|after|of) [\d,]{3,}/g, "$1 …")
    .replace(/\b(step|byte|after) \d+/g, "$1 …")
    .replace(/\b\d+ threads?\b/g, "… threads")
    .replace(/\s+/g, " ")
    .trim();
}
