import * as z from "zod/mini";
import { createStore, type StoreApi } from "zustand/vanilla";
import type { HeldToken } from "../../../flow/held";
import { keep, readKept, type TextStorage } from "../kept/persisted";

/** A held token and how it reads, which before the model is loaded nobody else could tell. */
export interface HeldWord extends HeldToken {
  readonly word: string;
}

/** What the next run is to write to and to keep, besides its settings. Each model has its own. */
export interface DraftStore {
  /** The prompt as typed: a text, or numbers of tokens for a model without a tokenizer. */
  readonly prompt: string;
  /** Tokens of that prompt; null until they are counted, which takes the model's tokenizer. */
  readonly promptTokens: number | null;
  /** Held words in the order of their places, each place once. */
  readonly held: readonly HeldWord[];
  /** Name of the model that it is for. */
  readonly model: string;
  /** What was drafted for other models. */
  readonly others: Readonly<Record<string, Draft>>;

  setPrompt(prompt: string): void;
  /** Takes note of a count; one that is late, for another text, is not heeded. */
  countPrompt(prompt: string, tokens: number | null): void;
  /** Holds words; what was held at their places gives way. */
  hold(words: readonly HeldWord[]): void;
  letGo(position: number): void;
  /** Holds these and nothing else. */
  holdOnly(words: readonly HeldWord[]): void;
  /** Turns to what was drafted for another model: tokens mean something else to it. */
  turnTo(model: string): void;
}

const index = z.int().check(z.minimum(0));
const draftSchema = z.object({
  prompt: z.string(),
  held: z.array(z.object({ position: index, token: index, word: z.string() })),
});
const schema = z.record(z.string(), draftSchema);

type Draft = z.infer<typeof draftSchema>;

const KEY = "elf.drafts";
const NOTHING: Draft = { prompt: "", held: [] };

export function createDraft(storage: TextStorage | null, model: string): StoreApi<DraftStore> {
  const kept = readKept(storage, KEY, schema) ?? {};
  const store = createStore<DraftStore>()((set, get) => ({
    ...ordered(kept[model] ?? NOTHING),
    promptTokens: null,
    model,
    others: kept,

    setPrompt: (prompt) => {
      if (prompt !== get().prompt) set({ prompt, promptTokens: null });
    },
    countPrompt: (prompt, promptTokens) => {
      if (prompt === get().prompt) set({ promptTokens });
    },
    hold: (words) => set(({ held }) => ({ held: inOrder([...held, ...words]) })),
    letGo: (position) => set(({ held }) => ({ held: held.filter((word) => word.position !== position) })),
    holdOnly: (words) => set({ held: inOrder(words) }),
    turnTo: (next) =>
      set((state) => {
        const others = draftsOf(state);
        return { ...ordered(others[next] ?? NOTHING), promptTokens: null, model: next, others };
      }),
  }));
  keep(store, storage, KEY, draftsOf);
  return store;
}

/** Every model's draft, this one's among them where there is anything in it. */
function draftsOf({ model, others, prompt, held }: DraftStore): Record<string, Draft> {
  const { [model]: _, ...rest } = others;
  return prompt === "" && held.length === 0 ? rest : { ...rest, [model]: { prompt, held: [...held] } };
}

function ordered({ prompt, held }: Draft): Draft {
  return { prompt, held: inOrder(held) };
}

/** By their places; of two at one place the later. */
function inOrder(held: readonly HeldWord[]): HeldWord[] {
  const byPlace = new Map(held.map((word) => [word.position, word]));
  return [...byPlace.values()].sort((a, b) => a.position - b.position);
}
