import { ConditionError } from "../../../flow/errors";
import { MOST_LETTERS, type Prompt } from "../../../flow/recipe";
import type { Manifest } from "../../../format/manifest";
import { ENGLISH, type Words } from "../../words/english";
import type { DraftStore } from "./draft";

/** Whether the model writes to a prompt. */
export function takesPrompt(manifest: Manifest | null): boolean {
  return (manifest?.architecture.maxInputLength ?? 0) > 0;
}

/** Whether the next run is to have no prompt: that of a model which takes none, or may do without and is given none. */
export function writesFreely(manifest: Manifest | null, typed: string): boolean {
  return !takesPrompt(manifest) || (manifest?.architecture.sourceOptional === true && typed.trim() === "");
}

/** Whether the model reads text, or numbers of tokens only. */
export function readsText({ files }: Manifest): boolean {
  return files.some(({ path }) => path === "tokenizer.json");
}

/** What the box for the prompt is called, and what is said below it: the model's own words where they are few. */
export function promptTitle(
  manifest: Manifest,
  words: Words["prompt"],
): { readonly title: string; readonly note: string } {
  const fallback = readsText(manifest) ? words.writeTo : words.writeToNumbers;
  const [, first = "", rest = ""] = /^([^.!?]{1,60})(?:[.!?]+(?:\s+(.*))?)?$/s.exec(manifest.description.trim()) ?? [];
  return first && readsText(manifest) ? { title: first, note: rest } : { title: fallback, note: manifest.description };
}

/** A prompt as typed, understood or not; `why` says what is wrong with it. */
export type TypedPrompt =
  | { readonly prompt: Prompt; readonly why?: never }
  | { readonly prompt?: never; readonly why: string };

/** Reads what was typed for a model that takes prompts; `tokens` is its length, null where it has not been counted. */
export function readPrompt(
  typed: string,
  tokens: number | null,
  manifest: Manifest,
  words: Words["prompt"],
): TypedPrompt {
  const most = manifest.architecture.maxInputLength;
  const text = typed.trim();
  if (text === "") return { why: words.nothing };
  if (text.length > MOST_LETTERS) return { why: words.tooManyLetters(text.length, most) };
  if (readsText(manifest)) {
    return tokens !== null && tokens > most ? { why: words.tooLong(tokens, most) } : { prompt: { text } };
  }
  const ids = idsOf(text);
  if (!ids) return { why: words.noTokenizer };
  const { vocabularySize } = manifest.architecture;
  const stranger = ids.find((id) => id >= vocabularySize);
  if (stranger !== undefined) return { why: words.noToken(stranger, vocabularySize - 1) };
  return ids.length > most ? { why: words.tooLong(ids.length, most) } : { prompt: { ids } };
}

/**
 * The prompt that the next run is to have; undefined where it is to write freely.
 * @throws {ConditionError} what was typed cannot be used.
 */
export function promptOf(
  { prompt: typed, promptTokens }: Pick<DraftStore, "prompt" | "promptTokens">,
  manifest: Manifest,
): Prompt | undefined {
  if (writesFreely(manifest, typed)) return undefined;
  // In English, as all errors are.
  const { prompt, why } = readPrompt(typed, promptTokens, manifest, ENGLISH.prompt);
  if (why !== undefined) throw new ConditionError(why, "Then generate again.");
  return prompt;
}

/** Numbers parted by commas or spaces; null where there is anything else. */
export function idsOf(text: string): number[] | null {
  const words = text.trim().split(/[\s,]+/);
  return words.every((word) => /^\d{1,9}$/.test(word)) ? words.map(Number) : null;
}
