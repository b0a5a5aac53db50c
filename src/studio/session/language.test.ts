import { describe, expect, it } from "vitest";
import { settled } from "../testing/fakeEngine";
import { MapStorage, testStudio } from "../testing/studio";
import { ENGLISH, type Words } from "../words/english";
import { GERMAN } from "../words/german";
import { languageFor } from "../words/languages";
import { wordsIn } from "../words/wordsIn";
import { applyLanguage } from "./language";

describe("the language of the page", () => {
  it.each([
    [["de-AT", "en"], "de"],
    [["fr", "de-CH", "en"], "de"],
    [["en-GB", "de"], "en"],
    [["fr", "DEU"], "en"],
    [[], "en"],
  ])("for a browser that wants %j is %s", (wanted, language) => expect(languageFor(wanted)).toBe(language));

  it("is the browser's until one is chosen, which the next visit finds again", async () => {
    const storage = new MapStorage();
    const { studio } = testStudio({ languages: ["de"], storage });
    expect(studio.words.getState()).toBe(ENGLISH);
    await studio.spoken();
    expect(studio.words.getState()).toBe(GERMAN);
    studio.preferences.getState().set({ language: "en" });
    await studio.spoken();
    expect(studio.words.getState()).toBe(ENGLISH);
    const next = testStudio({ languages: ["de"], storage }).studio;
    await next.spoken();
    expect(next.words.getState()).toBe(ENGLISH);
  });

  it("is the one chosen last, whichever comes first", async () => {
    let come = (_: Words) => {};
    const slow = new Promise<Words>((resolve) => {
      come = resolve;
    });
    const { studio } = testStudio({ loadWords: (language) => (language === "de" ? slow : wordsIn(language)) });
    studio.preferences.getState().set({ language: "de" });
    studio.preferences.getState().set({ language: "en" });
    come(GERMAN);
    await settled();
    expect(studio.words.getState()).toBe(ENGLISH);
  });

  it("stays where the words of another do not come, and says so", async () => {
    const { studio } = testStudio({ loadWords: () => Promise.reject(new TypeError("Failed to fetch")) });
    studio.preferences.getState().set({ language: "de" });
    await studio.spoken();
    expect(studio.words.getState()).toBe(ENGLISH);
    expect(studio.view.getState().said).toBe(ENGLISH.said.languageMissing("Deutsch"));
  });

  it("stands on the document, and in its title", async () => {
    const { studio } = testStudio();
    const page = { documentElement: { lang: "" }, title: "Its own" } as Document;
    applyLanguage(studio.words, page);
    expect([page.documentElement.lang, page.title]).toEqual(["en", "Its own"]);
    studio.words.setState(GERMAN, true);
    expect([page.documentElement.lang, page.title]).toEqual(["de", GERMAN.title]);
    studio.words.setState(ENGLISH, true);
    expect([page.documentElement.lang, page.title]).toEqual(["en", "Its own"]);
  });
});
