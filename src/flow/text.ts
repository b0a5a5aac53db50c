/**
 * A text as it can be written in UTF-8. Halves of surrogate pairs that stand alone, which programs leave that cut a text
 * in the middle of a character, become U+FFFD, as every encoder would write them.
 */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
