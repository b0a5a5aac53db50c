import { createStore, type StoreApi } from "zustand/vanilla";
import type { SamplerSettings } from "../../../flow/settings";
import type { DraftStore, HeldWord } from "./draft";
import type { SettingsStore } from "./settings";

/** What a person decides of the next run, as it stood at one time. */
interface Drafted {
  readonly values: SamplerSettings;
  /** Whether any of the values was chosen by the person. */
  readonly chosen: boolean;
  readonly seedLocked: boolean;
  readonly prompt: string;
  readonly held: readonly HeldWord[];
}

/** The way that the draft of the next run has come, and back; of the model in use, for each has its own. Lost with the page. */
export interface HistoryStore {
  /** Oldest first. */
  readonly past: readonly Drafted[];
  /** What was undone; the last is redone first. */
  readonly future: readonly Drafted[];

  /** Takes the last change back. Returns what is now as it was, a sentence for the person. */
  undo(): string;
  /** Does again what was undone last, and says so. */
  redo(): string;
}

/** Most changes that are remembered. */
const MOST = 100;

/** Milliseconds within which changes of the same things are one: a slider on its way, a sentence while it is typed. */
const PAUSE = 1000;

export function createHistory(
  settings: StoreApi<SettingsStore>,
  draft: StoreApi<DraftStore>,
  now: () => number,
): StoreApi<HistoryStore> {
  const ofOthers = new Map<string, Pick<HistoryStore, "past" | "future">>();
  let model = draft.getState().model;
  let present = draftedNow();
  let defaults = settings.getState().defaults;
  let last = { things: "", at: Number.NEGATIVE_INFINITY };
  let isDue = false;

  function draftedNow(): Drafted {
    const { values, chosen, seedLocked } = settings.getState();
    const { prompt, held } = draft.getState();
    return { values, chosen, seedLocked, prompt, held };
  }

  const store = createStore<HistoryStore>()((set, get) => {
    const go = (target: Drafted, ways: Pick<HistoryStore, "past" | "future">): readonly string[] => {
      const said = differences(present, target);
      present = target;
      last = { things: "", at: Number.NEGATIVE_INFINITY };
      const { values, chosen, seedLocked, prompt, held } = target;
      settings.getState().restore({ values, chosen, seedLocked });
      draft.getState().setPrompt(prompt);
      draft.getState().holdOnly(held);
      set(ways);
      return said.map(({ words }) => words);
    };
    return {
      past: [],
      future: [],
      undo: () => {
        note();
        const { past, future } = get();
        const target = past.at(-1);
        if (!target) return "";
        const said = go(target, { past: past.slice(0, -1), future: [...future, present] });
        return said.length === 1 ? `${said[0]?.replace("\0", " back to")}.` : `Back to ${listed(said)}.`;
      },
      redo: () => {
        note();
        const { past, future } = get();
        const target = future.at(-1);
        if (!target) return "";
        const said = go(target, { past: [...past, present], future: future.slice(0, -1) });
        return said.length === 1 ? `${said[0]?.replace("\0", " again")}.` : `Again ${listed(said)}.`;
      },
    };
  });

  /** Takes note of what has changed since the last time: by the person, who can undo it, or by itself. */
  function note(): void {
    isDue = false;
    const before = present;
    present = draftedNow();
    const { defaults: known, seedUsed } = settings.getState();
    const isLearnt = known !== defaults;
    defaults = known;
    const { model: turned } = draft.getState();
    if (turned !== model) {
      const { past, future } = store.getState();
      ofOthers.set(model, { past, future });
      model = turned;
      store.setState(ofOthers.get(model) ?? { past: [], future: [] });
    }
    const changed = differences(before, present);
    const things = changed.map(({ thing }) => thing).join();
    if (changed.length === 0) return;
    // What a model brings with it, and the seed that a run has drawn for itself.
    if (isLearnt || (things === "seed" && seedUsed)) {
      last = { things: "", at: Number.NEGATIVE_INFINITY };
      return;
    }
    const at = now();
    const isOne = things === last.things && at - last.at < PAUSE;
    last = { things, at };
    const { past } = store.getState();
    const grown = isOne ? past : [...past.slice(1 - MOST), before];
    const top = grown.at(-1);
    // Changed and changed back: nothing to undo.
    const isBack = isOne && top !== undefined && differences(top, present).length === 0;
    store.setState({ past: isBack ? grown.slice(0, -1) : grown, future: [] });
    if (isBack) last = { things: "", at: Number.NEGATIVE_INFINITY };
  }

  // What is done at once, a preset or all of a run's settings, is one change.
  const soon = () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => isDue && note());
  };
  settings.subscribe(soon);
  draft.subscribe(soon);
  return store;
}

/** One thing that differs, and how it is said of the later one; `\0` stands where the verb goes. */
interface Difference {
  readonly thing: string;
  readonly words: string;
}

const NAMES = {
  steps: "Steps",
  method: "Sampler",
  gamma: "γ",
  selfCondScale: "w",
  cfgScale: "ω",
  schedule: "Schedule",
  solver: "Solver",
  rng: "Random numbers",
  seed: "Seed",
  length: "Length",
} as const satisfies Record<keyof SamplerSettings, string>;

const METHODS = { ode: "ODE", sde: "SDE" } as const;

function differences(before: Drafted, after: Drafted): Difference[] {
  const settings = (Object.keys(NAMES) as (keyof SamplerSettings)[])
    .filter((name) => before.values[name] !== after.values[name])
    .map((name) => ({ thing: name, words: `${NAMES[name]}\0 ${shownValue(name, after.values)}` }));
  return [
    ...settings,
    ...(before.seedLocked === after.seedLocked
      ? []
      : [{ thing: "lock", words: `Lock of the seed\0 ${after.seedLocked ? "on" : "off"}` }]),
    ...(before.prompt === after.prompt
      ? []
      : [{ thing: "prompt", words: `Prompt\0 ${after.prompt.trim() === "" ? "nothing" : quoted(after.prompt)}` }]),
    ...(sameWords(before.held, after.held)
      ? []
      : [{ thing: "held", words: `Held words\0 ${after.held.map(({ word }) => word).join(", ") || "none"}` }]),
  ];
}

function shownValue(name: keyof SamplerSettings, values: SamplerSettings): string {
  return name === "method" ? METHODS[values.method] : String(values[name]).replaceAll("_", " ");
}

function sameWords(some: readonly HeldWord[], others: readonly HeldWord[]): boolean {
  const keys = (words: readonly HeldWord[]) => words.map(({ position, token }) => `${position}=${token}`).join();
  return keys(some) === keys(others);
}

/** Letters of a prompt that are said. */
const SAID = 40;

function quoted(text: string): string {
  const plain = text.trim().replace(/\s+/g, " ");
  return `“${plain.length > SAID ? `${plain.slice(0, SAID - 1)}…` : plain}”`;
}

function listed(said: readonly string[]): string {
  const small = (words: string) => words.charAt(0).toLowerCase() + words.slice(1);
  return said.map((words) => small(words.replace("\0", ""))).join(", ");
}
