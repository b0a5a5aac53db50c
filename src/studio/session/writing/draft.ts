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
  /** What was drafted in this tab, for this model and for others. */
  readonly drafted: Readonly<Record<string, Draft>>;

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
  // Another tab may have drafted since.
  const keptNow = () => readKept(storage, KEY, schema) ?? {};
  const store = createStore<DraftStore>()((set, get) => {
    const draft = (change: Partial<Pick<DraftStore, "prompt" | "promptTokens" | "held">>) =>
      set((state) => {
        const { model, prompt, held } = { ...state, ...change };
        return { ...change, drafted: { ...state.drafted, [model]: { prompt, held: [...held] } } };
      });
    return {
      ...ordered(draftOf(model, keptNow()) ?? NOTHING),
      promptTokens: null,
      model,
      drafted: {},

      setPrompt: (prompt) => {
        if (prompt !== get().prompt) draft({ prompt, promptTokens: null });
      },
      countPrompt: (prompt, promptTokens) => {
        if (prompt === get().prompt) set({ promptTokens });
      },
      hold: (words) => draft({ held: inOrder([...get().held, ...words]) }),
      letGo: (position) => draft({ held: get().held.filter((word) => word.position !== position) }),
      holdOnly: (words) => draft({ held: inOrder(words) }),
      turnTo: (next) => {
        const found = draftOf(next, get().drafted) ?? draftOf(next, keptNow()) ?? NOTHING;
        set({ ...ordered(found), promptTokens: null, model: next });
      },
    };
  });
  keep(
    store,
    storage,
    KEY,
    ({ drafted }) => drafted,
    (drafted) => withDraft(keptNow(), store.getState().model, drafted),
  );
  return store;
}

/** The draft for a model, which an address may call as something is called that every object has. */
function draftOf(model: string, drafts: Readonly<Record<string, Draft>>): Draft | undefined {
  return Object.hasOwn(drafts, model) ? drafts[model] : undefined;
}

/** Every model's draft as it is kept, but that of one model as it was drafted here, if there is anything in it. */
function withDraft(kept: Record<string, Draft>, model: string, drafted: Readonly<Record<string, Draft>>) {
  const { [model]: _, ...others } = kept;
  const own = draftOf(model, drafted) ?? NOTHING;
  return own.prompt === "" && own.held.length === 0 ? others : { ...others, [model]: own };
}

function ordered({ prompt, held }: Draft): Draft {
  return { prompt, held: inOrder(held) };
}

/** By their places; of two at one place the later. */
function inOrder(held: readonly HeldWord[]): HeldWord[] {
  const byPlace = new Map(held.map((word) => [word.position, word]));
  return [...byPlace.values()].sort((a, b) => a.position - b.position);
}
