import { createStore, type StoreApi } from "zustand/vanilla";
import type { SamplerSettings } from "../../../flow/settings";
import { knotsInWords } from "../../../player/run/settingsInWords";
import type { Words } from "../../words/english";
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
  words: () => Words,
): StoreApi<HistoryStore> {
  const ofOthers = new Map<string, Pick<HistoryStore, "past" | "future">>();
  let model = draft.getState().model;
  let present = draftedNow();
  let defaults = settings.getState().defaults;
  let last = { things: "", at: Number.NEGATIVE_INFINITY };
  let isDue = false;
  /** Seeds that a person has asked for: what a run draws after one of them leaves it where it was. */
  const chosenSeeds = new Set<number>();

  function draftedNow(): Drafted {
    const { values, chosen, seedLocked } = settings.getState();
    const { prompt, held } = draft.getState();
    return { values, chosen, seedLocked, prompt, held };
  }

  const store = createStore<HistoryStore>()((set, get) => {
    const go = (target: Drafted, ways: Pick<HistoryStore, "past" | "future">): readonly Thing[] => {
      const changed = differences(present, target);
      present = target;
      last = { things: "", at: Number.NEGATIVE_INFINITY };
      const { values, chosen, seedLocked, prompt, held } = target;
      settings.getState().restore({ values, chosen, seedLocked });
      draft.getState().setPrompt(prompt);
      draft.getState().holdOnly(held);
      set(ways);
      return changed;
    };
    return {
      past: [],
      future: [],
      undo: () => {
        note();
        const { past, future } = get();
        const target = past.at(-1);
        if (!target) return "";
        const changed = go(target, { past: past.slice(0, -1), future: [...future, present] });
        return said(changed, "back");
      },
      redo: () => {
        note();
        const { past, future } = get();
        const target = future.at(-1);
        if (!target) return "";
        const changed = go(target, { past: [...past, present], future: future.slice(0, -1) });
        return said(changed, "again");
      },
    };
  });

  /** What is now as it was, or is again as it had been. */
  function said(changed: readonly Thing[], way: "back" | "again"): string {
    const its = words();
    const { history } = its;
    const [first] = changed;
    const value = (thing: Thing) => shownValue(thing, present, its);
    if (first && changed.length === 1) return history[way](history.names[first], value(first));
    const each = changed.map((thing) => history.each(history.names[thing], value(thing))).join(", ");
    return way === "back" ? history.allBack(each) : history.allAgain(each);
  }

  /** Has what is nobody's change be so in all that can be gone back or on to. */
  function carry(into: (drafted: Drafted) => Drafted): void {
    store.setState(({ past, future }) => ({ past: past.map(into), future: future.map(into) }));
  }

  /** Takes note of what has changed since the last time: by the person, who can undo it, or by itself. */
  function note(): void {
    isDue = false;
    const before = present;
    present = draftedNow();
    const { defaults: known, seedUsed } = settings.getState();
    const isLearnt = known !== defaults;
    const { model: turned } = draft.getState();
    if (turned !== model) {
      const { past, future } = store.getState();
      ofOthers.set(model, { past, future });
      model = turned;
      store.setState(ofOthers.get(model) ?? { past: [], future: [] });
    } else if (isLearnt) {
      // What was nobody's choice before the model said what it wants isn't what a person goes back to.
      const old = defaults;
      carry((drafted) => ({ ...drafted, values: withDefaults(drafted.values, old, known) }));
    }
    defaults = known;
    const changed = differences(before, present);
    const things = changed.join();
    if (changed.length === 0) return;
    const isDrawn = things === "seed" && seedUsed;
    if (changed.includes("seed") && !isDrawn) chosenSeeds.add(present.values.seed);
    // Whoever goes back by a number of steps would have the noise of a run that is written already.
    if (isDrawn && !chosenSeeds.has(before.values.seed))
      carry((drafted) => withSeed(drafted, before.values.seed, present.values.seed));
    // What a model brings with it, and the seed that a run has drawn for itself.
    if (isLearnt || isDrawn) {
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

/** With the seed `now`, where it was `before`. */
function withSeed(drafted: Drafted, before: number, now: number): Drafted {
  return drafted.values.seed === before ? { ...drafted, values: { ...drafted.values, seed: now } } : drafted;
}

/** Those of `values` that are as they were by default, as they are by the new defaults; the seed is nobody's default. */
function withDefaults(values: SamplerSettings, before: SamplerSettings, now: SamplerSettings): SamplerSettings {
  const names = Object.keys({ ...values, ...now }) as (keyof SamplerSettings)[];
  const of = (name: keyof SamplerSettings) => (name !== "seed" && values[name] === before[name] ? now : values)[name];
  const entries = names.map((name) => [name, of(name)]).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as unknown as SamplerSettings;
}

/** What can differ between two drafts. */
type Thing = keyof SamplerSettings | "lock" | "prompt" | "held";

function differences(before: Drafted, after: Drafted): Thing[] {
  const settings = Object.keys({ ...before.values, ...after.values }) as (keyof SamplerSettings)[];
  return [
    ...settings.filter((name) => before.values[name] !== after.values[name]),
    ...(before.seedLocked === after.seedLocked ? [] : ["lock" as const]),
    ...(before.prompt === after.prompt ? [] : ["prompt" as const]),
    ...(sameWords(before.held, after.held) ? [] : ["held" as const]),
  ];
}

const METHODS = { ode: "ODE", sde: "SDE" } as const;

function shownValue(thing: Thing, { values, seedLocked, prompt, held }: Drafted, all: Words): string {
  const { history: words, settings, player } = all;
  switch (thing) {
    case "lock":
      return seedLocked ? words.on : words.off;
    case "prompt":
      return prompt.trim() === "" ? words.noPrompt : words.quoted(beginning(prompt));
    case "held":
      return held.map(({ word }) => word).join(", ") || words.noneHeld;
    case "gammaCurve":
      return values.gammaCurve ? knotsInWords(values.gammaCurve, player.run) : words.noCurve;
    case "schedule":
      return settings.schedule.names[values.schedule];
    case "gamma":
    case "cfgScale":
    case "selfCondScale":
      return player.run.number(values[thing]);
    case "method":
      return METHODS[values.method];
    default:
      return String(values[thing]).replaceAll("_", " ");
  }
}

function sameWords(some: readonly HeldWord[], others: readonly HeldWord[]): boolean {
  const keys = (words: readonly HeldWord[]) => words.map(({ position, token }) => `${position}=${token}`).join();
  return keys(some) === keys(others);
}

/** Letters of a prompt that are said. */
const SAID = 40;

function beginning(text: string): string {
  const plain = text.trim().replace(/\s+/g, " ");
  return plain.length > SAID ? `${plain.slice(0, SAID - 1)}…` : plain;
}
