/** What a visit comes to, in any browser: the page from its recorded run to a page without a network, and the element. */
import type { SamplerSettings } from "../../src/flow/settings";
import { linkTo } from "../../src/format/link";
import type { Tab } from "./browsers";

export interface Places {
  /** Address of the built page, ending in `/`. */
  readonly page: string;
  /** Address of somebody's page with `<elf-playground>`. */
  readonly widget: string;
  /** Takes the page's server away. */
  stopServer(): Promise<void>;
}

/** One thing that has to come true. */
interface Step {
  readonly name: string;
  /** Gives a sentence where the browser has something less, which the page says of itself. */
  take(tab: Tab, places: Places): Promise<string | undefined> | Promise<void>;
}

/** Longest that anything may take: a whole model is loaded and compiled meanwhile. */
const MOST_SECONDS = 60;

const SETTINGS: SamplerSettings = {
  ...{ steps: 8, method: "sde", gamma: 1.5, selfCondScale: 3, cfgScale: 1 },
  ...{ schedule: "logit_normal", solver: "euler", rng: "original", seed: 7, length: 16 },
};
const linked = (change: Partial<SamplerSettings> = {}) => linkTo({ settings: { ...SETTINGS, ...change } });
const text = (id: string) => `document.querySelector('[data-testid="${id}"]')?.textContent ?? ""`;
const CARDS = `document.querySelectorAll('[data-testid="run-card"]').length`;

/** What the drivers throw where there is no browser any more: nobody has to wait for it. */
const GONE = /^(NoSuchSession|ConnectionClosed|TargetClose)Error|detached Frame/;

/** Whether a run is on its way, or as many are there. */
const BEGUN = (cards: number) => `document.querySelector('[data-testid="cancel"]') !== null || ${CARDS} === ${cards}`;
const ALERT = `document.querySelector('[role="alert"]')?.textContent ?? ""`;

export const STEPS: readonly Step[] = [
  {
    name: "a recorded run plays",
    take: async (tab, { page }) => {
      await tab.open(`${page}?backend=wasm`);
      await until(tab, text("readout"), (read: string) => read.includes("step 32 of 32"));
      await until(tab, text("stage-text"), (read: string) => read.length > 40);
    },
  },
  {
    name: "a linked run is written, by the very words that every browser writes",
    take: async (tab, { page }) => {
      await tab.open(`${page}?backend=wasm&model=tiny-model${linked()}`);
      await until(tab, text("linked"), (read: string) => read !== "");
      await pressUntil(tab, '[data-testid="linked"] button', `${text("linked")} === ""`);
      await until(tab, CARDS, (cards: number) => cards === 1);
      await idle(tab);
      const written = await tab.read<string>(text("stage-text"));
      if (written.length < 10) throw new Error(`It wrote “${written}”.`);
    },
  },
  {
    name: "time is scrubbed by the keyboard",
    take: async (tab) => {
      await tab.press('[role="slider"]');
      await tab.key("Home");
      await until(tab, text("readout"), (read: string) => read.includes("t = 0.00"));
    },
  },
  {
    name: "a run goes on from a step of another",
    take: async (tab) => {
      await tab.key("f");
      await until(tab, CARDS, (cards: number) => cards === 2);
      await idle(tab);
    },
  },
  {
    name: "a run is cancelled, and keeps what it has",
    take: async (tab, { page }) => {
      await tab.open(`${page}?backend=wasm&model=tiny-model${linked({ seed: 8, steps: 1000 })}`);
      await until(tab, text("linked"), (read: string) => read !== "");
      await pressUntil(
        tab,
        '[data-testid="linked"] button',
        `document.querySelector('[data-testid="cancel"]') !== null`,
      );
      await until(tab, CARDS, (cards: number) => cards === 3);
      await tab.press('[data-testid="cancel"]');
      await idle(tab);
      const card = await tab.read<string>(text("run-card"));
      if (!/stopped/i.test(card)) throw new Error(`Its card says “${card}”.`);
    },
  },
  {
    name: "a reload finds the runs again",
    take: async (tab, { page }) => {
      await tab.open(`${page}?backend=wasm&model=tiny-model`);
      await until(tab, CARDS, (cards: number) => cards === 3);
    },
  },
  {
    name: "an element plays in somebody's page",
    take: async (tab, { widget }) => {
      const inside = (id: string) =>
        `document.querySelector("elf-playground")?.shadowRoot?.querySelector('[data-testid="${id}"]')?.textContent ?? ""`;
      await tab.open(widget);
      await until(tab, inside("readout"), (read: string) => read.includes("step 32 of 32"));
      await tab.read(
        `document.querySelector("elf-playground").generate({ seed: 3, settings: { steps: 4 } }).then(() => {}), 0`,
      );
      await until(tab, inside("readout"), (read: string) => read.includes("step 4 of 4"));
    },
  },
  {
    name: "without a network the page opens, and writes",
    take: async (tab, { page, stopServer }) => {
      await tab.open(`${page}?backend=wasm&model=tiny-model`);
      await until(tab, `navigator.serviceWorker?.controller != null`, Boolean);
      // Kept is what this visit uses; the runtime among it.
      await pressUntil(tab, '[data-testid="generate"]', BEGUN(4));
      await until(tab, CARDS, (cards: number) => cards === 4);
      await idle(tab);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const keeping = await tab.read<string>(text("keeping"));
      await stopServer();
      await tab.open(`${page}?backend=wasm&model=tiny-model`);
      await until(tab, CARDS, (cards: number) => cards === 4);
      if (/keeps no .*models/.test(keeping)) {
        await tab.press('[data-testid="generate"]');
        await until(tab, ALERT, (alert: string) => alert.includes("could not be loaded"));
        return "opens, and has no model: this browser gives pages no file system (OPFS), which the page says";
      }
      await pressUntil(tab, '[data-testid="generate"]', BEGUN(5));
      await until(tab, CARDS, (cards: number) => cards === 5);
      await idle(tab);
    },
  },
];

/** The text of the run that every browser has to write alike; asked for after its step. */
export function writtenText(tab: Tab): Promise<string> {
  return tab.read<string>(text("stage-text"));
}

/** Presses again where the page moved under the pointer: a person would. */
async function pressUntil(tab: Tab, selector: string, expression: string): Promise<void> {
  for (let presses = 1; presses < 6; presses++) {
    await tab.press(selector);
    const end = performance.now() + 5000;
    while (performance.now() < end) {
      if (await tab.read<boolean>(`Boolean(${expression})`)) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error(`A press on ${selector} does nothing.`);
}

async function idle(tab: Tab): Promise<void> {
  await until(tab, text("generate"), (read: string) => read.startsWith("Generate"));
  const alert = await tab.read<string>(ALERT);
  if (alert !== "") throw new Error(`The page says: ${alert}`);
}

async function until<T extends string | number | boolean>(
  tab: Tab,
  expression: string,
  holds: (value: T) => boolean,
): Promise<void> {
  const end = performance.now() + 1000 * MOST_SECONDS;
  let value: T | Error | undefined;
  while (performance.now() < end) {
    value = await tab.read<T>(expression).catch((error: unknown) => {
      if (GONE.test(String(error))) throw error;
      return new Error(String(error));
    });
    if (!(value instanceof Error) && holds(value)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(
    `After ${MOST_SECONDS} s ${expression} is ${value instanceof Error ? value : JSON.stringify(value)}.`,
  );
}
