/** What is done again and again, each time to the same end. */
import type { Page } from "playwright-core";
import type { SamplerSettings } from "../../src/flow/settings";
import { linkTo } from "../../src/format/link";
import { EmbedHost } from "../browser/embed-host";

export interface Journey {
  /** One round, in words: “a run”. */
  readonly name: string;
  readonly rounds: number;
  /** Rounds that come before the first count: caches fill, and code is compiled. */
  readonly first: number;
  /** Rounds from one count to the next. */
  readonly every: number;
  readonly onGpu?: true;
  /** Comes to the page before the first round. */
  begin(page: Page, address: string): Promise<void>;
  round(page: Page, number: number): Promise<void>;
  end?(): Promise<void>;
}

const SETTINGS: SamplerSettings = {
  ...{ steps: 6, method: "sde", gamma: 1, selfCondScale: 2, cfgScale: 1 },
  ...{ schedule: "uniform", solver: "euler", rng: "original", seed: 7, length: 16 },
};

const at = (page: Page, id: string) => page.getByTestId(id);
const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name });

async function openTiny(page: Page, address: string, backend: string): Promise<void> {
  await page.goto(`${address}?backend=${backend}&model=tiny-model${linkTo({ settings: SETTINGS })}`);
  await button(page, "Write it").click();
  await isWritten(page, 1);
}

/** Waits for a text of so many steps, and that nothing went wrong. */
async function isWritten(page: Page, cards: number): Promise<void> {
  await page.waitForFunction(
    (least) =>
      document.querySelectorAll('[data-testid="run-card"]').length >= least &&
      /^Generate/.test(document.querySelector('[data-testid="generate"]')?.textContent ?? ""),
    cards,
  );
  const alerts = await page.getByRole("alert").allTextContents();
  if (alerts.length > 0) throw new Error(alerts.join(" "));
}

/**
 * Seeds that are used by turns. The engine remembers the states of past runs up to a bound (`RunMemory`), which so small a model would
 * take thousands of runs to reach: of runs that it knows it remembers nothing more.
 */
const SEEDS = 8;

/** Presses Generate, and waits until another text is there than before. */
async function write(page: Page): Promise<void> {
  const newest = () => page.evaluate(() => document.querySelector('[data-testid="run-card"]')?.textContent ?? "");
  const before = await newest();
  await at(page, "generate").click();
  await page.waitForFunction(
    (old) => (document.querySelector('[data-testid="run-card"]')?.textContent ?? "") !== old,
    before,
  );
  await isWritten(page, 1);
}

async function deleteNewest(page: Page): Promise<void> {
  const cards = await at(page, "run-card").count();
  await button(page, /^Delete the run/)
    .first()
    .click();
  await page.waitForFunction((before) => document.querySelectorAll('[data-testid="run-card"]').length < before, cards);
}

const runs = (backend: "wasm" | "webgpu"): Pick<Journey, "begin" | "round"> => ({
  begin: (page, address) => openTiny(page, address, backend),
  round: async (page, number) => {
    const seed = page.getByRole("textbox", { name: "Seed" });
    await seed.fill(`${number % SEEDS}`);
    await seed.press("Enter");
    await write(page);
    await at(page, "readout").click();
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowRight");
    // The shelf has every run of a visit; what is asked here is whether anything else stays of one.
    await deleteNewest(page);
  },
});

/** The models that are taken by turns. */
const SWITCHED = ["translate-de-en", "stories-fast"];
const TITLES = ["German → English", "Stories, fast"];

let host: EmbedHost | undefined;

export const JOURNEYS: readonly Journey[] = [
  { name: "a text", rounds: 200, first: 32, every: 8, ...runs("wasm") },
  { name: "a text on a GPU in software", rounds: 30, first: 10, every: 2, onGpu: true, ...runs("webgpu") },
  {
    name: "a switch to another model",
    rounds: 50,
    first: 6,
    every: 2,
    begin: async (page, address) => {
      await page.goto(`${address}?backend=wasm&model=${SWITCHED[1]}`);
      await at(page, "model-chip").waitFor();
    },
    round: async (page, number) => {
      await at(page, "model-chip").click();
      const entry = at(page, "model-entry").filter({ hasText: TITLES[number % 2] as string });
      await entry
        .getByRole("button", { name: /^(Load|Use|Download)/ })
        .first()
        .click();
      await entry.getByRole("button", { name: "In use" }).waitFor({ timeout: 120_000 });
      await page.keyboard.press("Escape");
      await at(page, "model-chip").filter({ hasText: /WASM/ }).waitFor();
    },
  },
  {
    name: "an element that comes, writes and goes",
    rounds: 50,
    first: 12,
    every: 2,
    begin: async (page) => {
      host = await EmbedHost.start();
      const isolated = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
      await page.goto(host.page("widgets", "<main></main>", isolated));
      await page.waitForFunction(() => customElements.get("elf-playground") !== undefined);
    },
    round: async (page, number) => {
      await page.evaluate(async (seed) => {
        const element = document.createElement("elf-playground");
        for (const [name, value] of Object.entries({ trace: "/traces/stories.json", model: "tiny-model" })) {
          element.setAttribute(name, value);
        }
        document.querySelector("main")?.append(element);
        type Writing = { generate(asked: { seed: number; settings: { steps: number } }): Promise<unknown> };
        await (element as unknown as Writing).generate({ seed, settings: { steps: 4 } });
        element.remove();
        await new Promise((resolve) => setTimeout(resolve, 300));
      }, number % SEEDS);
    },
    end: async () => host?.stop(),
  },
  {
    name: "a visit: a text, a fork, a lens, both runs deleted",
    rounds: 48,
    first: 20,
    every: 2,
    begin: (page, address) => openTiny(page, address, "wasm"),
    round: async (page, number) => {
      await page.reload();
      await at(page, "run-card").first().waitFor();
      await write(page);
      await page.keyboard.press("Home");
      await page.keyboard.press("f");
      await isWritten(page, 1);
      await page
        .getByRole("radio", { name: ["Paths", "Certainty", "Schedule", "Numbers"][number % 4] as string, exact: true })
        .click();
      await page.keyboard.press("End");
      // A shelf that fills is no leak.
      await deleteNewest(page);
      await deleteNewest(page);
    },
  },
];
