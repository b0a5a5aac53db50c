import { ENGLISH, type Words } from "./english";
import type { Language } from "./languages";

/** English comes with the page, every other language when somebody wants it. */
const LATER: Readonly<Record<Exclude<Language, "en">, () => Promise<Words>>> = {
  de: async () => (await import("./german")).GERMAN,
};

/** The words of a language; rejects where its part of the script does not come. */
export async function wordsIn(language: Language): Promise<Words> {
  return language === "en" ? ENGLISH : LATER[language]();
}
