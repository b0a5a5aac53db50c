import { createStore, type StoreApi } from "zustand/vanilla";
import { ENGLISH, type Words } from "../words/english";
import { type Language, languageFor } from "../words/languages";
import { wordsIn } from "../words/wordsIn";
import type { PreferencesStore } from "./kept/preferences";

export interface LanguageParts {
  readonly preferences: StoreApi<PreferencesStore>;
  /** What the browser wants, as `navigator.languages`. */
  readonly languages: readonly string[];
  /** Called where the words of a language cannot be had; the page speaks on as it did. */
  readonly onMissing: (language: Language) => void;
  readonly load?: typeof wordsIn | undefined;
}

/**
 * What the page says, in the language that is chosen or else the browser's, now and whenever another is chosen. `settled`
 * resolves when the words that are wanted now are there, or cannot be had.
 */
export function createWords({ preferences, languages, onMissing, load = wordsIn }: LanguageParts): {
  readonly words: StoreApi<Words>;
  readonly settled: () => Promise<void>;
} {
  const words = createStore<Words>()(() => ENGLISH);
  const wanted = () => {
    const { language } = preferences.getState();
    return language === "system" ? languageFor(languages) : language;
  };

  async function turn(): Promise<void> {
    const language = wanted();
    if (language === words.getState().language) return;
    try {
      const loaded = await load(language);
      // Another may have been chosen meanwhile.
      if (language === wanted()) words.setState(loaded, true);
    } catch {
      if (language === wanted()) onMissing(language);
    }
  }

  let turning = turn();
  preferences.subscribe(({ language }, before) => {
    if (language !== before.language) turning = turn();
  });
  return { words, settled: () => turning };
}

/** Says on the document which language the page speaks, and its title in it, now and whenever that changes. */
export function applyLanguage(words: StoreApi<Words>, page = document): void {
  const own = page.title;
  const apply = () => {
    const { language, title } = words.getState();
    page.documentElement.lang = language;
    page.title = title ?? own;
  };
  apply();
  words.subscribe(apply);
}
