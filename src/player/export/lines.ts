import type { Measure, Type } from "./typography";

/** Letters of one look. */
export interface Span {
  readonly text: string;
  readonly colour: string;
  readonly underlined?: boolean;
}

/** A span, and whether a line may be broken before it. */
export interface Piece extends Span {
  readonly spaceBefore: boolean;
}

/**
 * Breaks pieces into lines no wider than `width`: between words, and within one only where it is wider than a line. What is
 * wider by itself stands alone, to be drawn narrower.
 */
export function breakLines(pieces: readonly Piece[], width: number, type: Type, measure: Measure): Span[][] {
  const space = measure(" ", type);
  const lines: Span[][] = [];
  let line: Span[] = [];
  let taken = 0;
  const end = () => {
    if (line.length > 0) lines.push(line);
    line = [];
    taken = 0;
  };
  for (const word of wordsOf(pieces)) {
    const widths = word.map(({ text }) => measure(text, type));
    const whole = widths.reduce((sum, width) => sum + width, 0);
    if (line.length > 0 && taken + space + whole > width) end();
    for (const [i, { spaceBefore, text, ...look }] of word.entries()) {
      const own = widths[i] ?? 0;
      if (line.length > 0 && taken + own > width) end();
      const isSpaced = i === 0 && spaceBefore && line.length > 0;
      line.push({ ...look, text: isSpaced ? ` ${text}` : text });
      taken += own + (isSpaced ? space : 0);
    }
  }
  end();
  return lines;
}

/** Pieces that stand together without a space between. */
function wordsOf(pieces: readonly Piece[]): Piece[][] {
  const words: Piece[][] = [];
  for (const piece of pieces) {
    const last = words.at(-1);
    if (last && !piece.spaceBefore) last.push(piece);
    else words.push([piece]);
  }
  return words;
}

/** A line of one look, cut with an ellipsis where it would be wider than `width`. */
export function cutToWidth(text: string, width: number, type: Type, measure: Measure): string {
  if (measure(text, type) <= width) return text;
  const letters = Array.from(text);
  let [fits, tooMany] = [0, letters.length];
  const cut = (count: number) => `${letters.slice(0, count).join("").trimEnd()}…`;
  while (tooMany - fits > 1) {
    const middle = (fits + tooMany) >> 1;
    if (measure(cut(middle), type) <= width) fits = middle;
    else tooMany = middle;
  }
  return cut(fits);
}
