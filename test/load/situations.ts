/** The page with much of everything, and what a person does there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import type { SamplerSettings } from "../../src/flow/settings";
import { linkTo } from "../../src/format/link";
import { keptRuns } from "../browser/kept-runs";

export interface Situation {
  readonly name: string;
  /** Bytes that the page may hold at its end, and why; docs/load.md says so. */
  readonly plan: { readonly bytes: number; readonly why: string };
  /** Comes to where there is much. */
  begin(page: Page, address: string): Promise<void>;
  readonly deeds: readonly Deed[];
}

export interface Deed {
  readonly name: string;
  /** Does it, and gives the number of presses. */
  do(page: Page): Promise<number>;
}

const at = (page: Page, id: string) => page.getByTestId(id);
const STORIES = join(import.meta.dirname, "../../public/traces/stories.json");

/** Presses keys with a person's pauses, outside of any field. */
async function press(page: Page, keys: readonly string[], pause = 120): Promise<number> {
  await at(page, "readout").click();
  for (const key of keys) {
    await page.keyboard.press(key);
    await page.waitForTimeout(pause);
  }
  return keys.length + 1;
}

const times = (count: number, ...keys: readonly string[]) => Array.from({ length: count }, () => keys).flat();

/** Drops runs on the page, as a file of its own shelf: the recorded one, each time of another seed. */
async function dropRuns(page: Page, first: number, count: number): Promise<void> {
  const trace = JSON.parse(readFileSync(STORIES, "utf8"));
  const runs = Array.from({ length: count }, (_, i) => ({
    ...trace,
    settings: { ...trace.settings, seed: first + i },
  }));
  const text = JSON.stringify({ "elf-playground-shelf": 1, runs });
  await page.evaluate((shelf) => {
    const data = new DataTransfer();
    data.items.add(new File([shelf], "shelf.json", { type: "application/json" }));
    for (const kind of ["dragenter", "dragover", "drop"]) {
      document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
    }
  }, text);
}

async function untilKept(page: Page, runs: number): Promise<void> {
  while ((await keptRuns(page)) < runs) await page.waitForTimeout(500);
}

async function untilIdle(page: Page): Promise<void> {
  await page.waitForFunction(
    () => /^Generate/.test(document.querySelector('[data-testid="generate"]')?.textContent ?? ""),
    null,
    { timeout: 600_000 },
  );
}

const RUNS = 1000;
const AT_ONCE = 100;

const SHORT: SamplerSettings = {
  ...{ steps: 64, method: "sde", gamma: 1, selfCondScale: 2, cfgScale: 1 },
  ...{ schedule: "uniform", solver: "euler", rng: "original", seed: 7, length: 16 },
};
const LONG: SamplerSettings = { ...SHORT, steps: 256, length: 1024 };

const TIME: Deed = {
  name: "go through time by keys",
  do: (page) => press(page, [...times(20, "ArrowLeft"), "Home", "End"]),
};

const LENSES: readonly Deed[] = ["Certainty", "Schedule", "Numbers"].map((lens) => ({
  name: `open the lens *${lens}*, and go through time in it`,
  do: async (page) => {
    await page.getByRole("radio", { name: lens, exact: true }).click();
    await page.waitForTimeout(1500);
    return 1 + (await press(page, times(8, "ArrowLeft")));
  },
}));

export const SITUATIONS: readonly Situation[] = [
  {
    name: `${RUNS.toLocaleString("en")} runs on the shelf`,
    plan: { bytes: 160e6, why: "64 MB of frames of runs that nobody looks at, and 2 kB for the card of each" },
    begin: async (page, address) => {
      await page.goto(`${address}?backend=wasm&model=stories`);
      await at(page, "readout").waitFor();
      for (let first = 0; first < RUNS; first += AT_ONCE) {
        await dropRuns(page, first + 1000, AT_ONCE);
        await untilKept(page, first + AT_ONCE);
      }
      // The next visit, whose model writes in no time.
      await page.goto(`${address}?backend=wasm&model=tiny-model${linkTo({ settings: SHORT })}`);
      await page.waitForFunction(() => document.querySelectorAll('[data-testid="run-card"]').length > 20);
      await page.getByRole("button", { name: "Write it" }).click();
      await page.waitForTimeout(500);
      await untilIdle(page);
    },
    deeds: [
      { name: "go to older runs and back", do: (page) => press(page, [...times(26, "."), ...times(26, ",")], 200) },
      TIME,
      {
        name: "show more of the shelf, and run after run",
        do: async (page) => {
          for (let more = 0; more < 3; more++) {
            await page.getByRole("button", { name: /older run/ }).click();
            await page.waitForTimeout(400);
          }
          for (let card = 0; card < 60; card += 6) {
            await at(page, "run-card").nth(card).getByRole("button").first().click();
            await page.waitForTimeout(300);
          }
          return 13;
        },
      },
      {
        name: "find a run by its words",
        do: async (page) => {
          await press(page, ["Control+k"], 800);
          await page.keyboard.type("show run lily", { delay: 120 });
          await page.keyboard.press("ArrowDown");
          await page.keyboard.press("Escape");
          return 17;
        },
      },
      {
        name: "change the seed and the steps",
        do: async (page) => {
          const seed = page.getByRole("textbox", { name: "Seed" });
          await seed.fill("");
          await seed.pressSequentially("31415", { delay: 90 });
          await seed.press("Enter");
          return 6;
        },
      },
      {
        name: "write three runs and go through time meanwhile",
        do: async (page) => {
          let presses = 0;
          for (let run = 0; run < 3; run++) {
            await at(page, "generate").click();
            presses += 1 + (await press(page, times(6, "ArrowLeft"), 60));
            await untilIdle(page);
          }
          return presses;
        },
      },
      {
        name: "delete runs and take them back",
        do: async (page) => {
          for (let run = 0; run < 5; run++) {
            await page
              .getByRole("button", { name: /^Delete the run/ })
              .nth(run)
              .click();
            await page.waitForTimeout(300);
            await page.getByRole("button", { name: "Undo" }).click();
            await page.waitForTimeout(300);
          }
          return 10;
        },
      },
      ...LENSES,
    ],
  },
  {
    name: "1,024 tokens × 256 steps",
    plan: {
      bytes: 400e6,
      why: "128 MB of states in the worker, 26 MB of frames, the worker's runtime and the page's own",
    },
    begin: async (page, address) => {
      await page.goto(`${address}?backend=wasm&model=long${linkTo({ settings: LONG })}`);
      await page.getByRole("button", { name: "Write it" }).click();
      await page.waitForFunction(() => document.querySelectorAll('[data-testid="run-card"]').length > 0);
    },
    deeds: [
      {
        name: "while it is written, go through time and change settings",
        do: async (page) => {
          let presses = await press(page, times(30, "ArrowLeft"), 150);
          const seed = page.getByRole("textbox", { name: "Seed" });
          await seed.fill("");
          await seed.pressSequentially("27182", { delay: 120 });
          presses += 5;
          await untilIdle(page);
          return presses;
        },
      },
      TIME,
      {
        name: "play it, and stop",
        do: async (page) => {
          await press(page, ["Home", " "], 3000);
          return 1 + (await press(page, [" "]));
        },
      },
      ...LENSES,
      {
        name: "look at what else could stand at twenty tokens",
        do: async (page) => {
          const tokens = at(page, "stage-text").getByRole("option");
          for (let token = 0; token < 20; token++) {
            await tokens.nth(3 * token).click();
            await page.waitForTimeout(150);
          }
          await page.keyboard.press("Escape");
          return 21;
        },
      },
    ],
  },
];
