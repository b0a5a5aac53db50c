/** The languages that the page speaks, each by its own name. */
export const LANGUAGES = { en: "English", de: "Deutsch" } as const;

export type Language = keyof typeof LANGUAGES;

export const LANGUAGE_TAGS = Object.keys(LANGUAGES) as Language[];

/** The first of `wanted`, as `navigator.languages` has them, that the page speaks, `de-AT` as `de`; English where it speaks none. */
export function languageFor(wanted: readonly string[]): Language {
  const tags = wanted.map((tag) => tag.toLowerCase().split("-")[0]);
  return tags.find((tag): tag is Language => LANGUAGE_TAGS.some((known) => known === tag)) ?? "en";
}
