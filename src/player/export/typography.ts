/** How wide text is where it is drawn, so that lines can be broken without a page. */
export interface Type {
  readonly family: "serif" | "sans";
  /** In the picture's own units, as all lengths. */
  readonly size: number;
  readonly weight: 400 | 600;
}

/** Width of a text in a type. */
export type Measure = (text: string, type: Type) => number;

export const FAMILIES: Readonly<Record<Type["family"], string>> = {
  serif: "'Source Serif 4 Variable', 'Source Serif 4', 'Iowan Old Style', Palatino, Georgia, serif",
  sans: "'Inter Variable', Inter, system-ui, sans-serif",
};

/** Of an em, of letters that are no middling ones. */
const NARROW = /[\s.,:;!'’‘|()[\]fijltrI\p{Mn}]/u;
const WIDE = /[mwMW—…@%\p{Lu}\d]/u;
const FULL = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}]/u;

/**
 * What text takes up in about any type, where nothing can measure it, as in Node. Whoever shows the picture stretches each
 * line to the width that was reckoned with, so that a bad guess looks a little odd and overlaps nothing.
 */
export function estimateWidth(text: string, { size }: Type): number {
  let ems = 0;
  for (const letter of text) ems += FULL.test(letter) ? 1 : NARROW.test(letter) ? 0.29 : WIDE.test(letter) ? 0.67 : 0.5;
  return ems * size;
}

/** Whether a text is written from right to left, by the first of its letters that goes either way. */
export function isRightToLeft(text: string): boolean {
  const first = /\p{L}/u.exec(text)?.[0] ?? "";
  return /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u.test(first);
}
