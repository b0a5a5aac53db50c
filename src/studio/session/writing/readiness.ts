import { roomOf } from "../../../flow/recipe";
import type { Studio } from "../studio";
import { readPrompt, writesFreely } from "./prompt";

/** What keeps a run from being asked for as things stand, in words for the person; null if nothing does. */
export function whyNotReady(studio: Pick<Studio, "settings" | "draft" | "model" | "words">): string | null {
  const { settings, draft, model } = studio;
  const { generate: words, prompt: promptWords } = studio.words.getState();
  const { refusals, values } = settings.getState();
  if (Object.keys(refusals).length > 0) return words.refused;
  const { manifest } = model.getState();
  if (!manifest) return null;
  const { prompt, promptTokens, held } = draft.getState();
  const free = writesFreely(manifest, prompt);
  if (!free) {
    const { why } = readPrompt(prompt, promptTokens, manifest, promptWords);
    // What is wrong with a prompt is said beside it.
    if (why) return prompt.trim() === "" ? why : words.promptRefused;
  }
  // A prompt that has not been counted has one token at least.
  const room = roomOf(values.length, free ? 0 : promptTokens || 1, manifest.architecture);
  const last = held.at(-1)?.position ?? -1;
  if (last < room) return null;
  return words.heldBeyond(last + 1, room);
}
