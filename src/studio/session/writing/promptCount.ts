import type { StoreApi } from "zustand/vanilla";
import { MOST_LETTERS } from "../../../flow/recipe";
import type { EngineClient } from "../../../worker/protocol";
import type { ModelStore } from "../models/model";
import type { DraftStore } from "./draft";
import { idsOf, readsText, takesPrompt } from "./prompt";

/** Rest, in milliseconds, after which what was typed is counted. */
const REST = 150;

/** Counts the prompt's tokens whenever it has changed, once there is a tokenizer to count with. Returns what ends it. */
export function countPrompts(
  draft: StoreApi<DraftStore>,
  model: StoreApi<ModelStore>,
  engine: Pick<EngineClient, "tokenize">,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const count = async () => {
    const { manifest, loaded } = model.getState();
    const { prompt, promptTokens } = draft.getState();
    if (!manifest || !takesPrompt(manifest) || promptTokens !== null) return;
    const text = prompt.trim();
    if (text.length > MOST_LETTERS) return;
    if (text === "") draft.getState().countPrompt(prompt, 0);
    else if (!readsText(manifest)) draft.getState().countPrompt(prompt, idsOf(text)?.length ?? null);
    else if (loaded) {
      // What fails here fails again, and is told, when the run is asked for.
      const tokens = await engine.tokenize(text).catch(() => null);
      draft.getState().countPrompt(prompt, tokens?.length ?? null);
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void count(), REST);
  };
  const ends = [
    draft.subscribe((now, before) => (now.prompt !== before.prompt || now.model !== before.model) && soon()),
    model.subscribe((now, before) => (now.loaded !== before.loaded || now.manifest !== before.manifest) && soon()),
  ];
  soon();
  return () => {
    clearTimeout(timer);
    for (const end of ends) end();
  };
}
