import { Charsmap } from "./charsmap";
import { Unigram, type UnigramOptions } from "./unigram";

/** SentencePiece's mark for a space. */
export const SPACE = "▁";

/** Texts as SentencePiece's ids: normalised by its table, spaces as marks, one before each text, cut as a whole. */
export class SentencePiece {
  readonly #charsmap: Charsmap;
  readonly #unigram: Unigram;

  /** @throws {RangeError} for a broken `charsmap`, in base64. */
  constructor(charsmap: string, options: Omit<UnigramOptions, "sums">) {
    this.#charsmap = new Charsmap(charsmap);
    this.#unigram = new Unigram({ ...options, sums: "float32" });
  }

  encode(text: string): number[] {
    return this.#unigram.encode(this.normalise(text));
  }

  /** Runs of spaces are one mark, those at the ends none. */
  normalise(text: string): string {
    const bytes = new TextEncoder().encode(text);
    let normal = SPACE;
    let afterSpace = true;
    for (let at = 0, place = 0; at < bytes.length; ) {
      const found = this.#charsmap.longest(bytes, at);
      const end = found?.end ?? at + lengthOfCharacter(bytes[at] as number);
      const next = place + utf16Length(bytes, at, end);
      let part = found?.text ?? text.slice(place, next);
      if (afterSpace) part = part.replace(/^ +/, "");
      if (part) {
        normal += part.replaceAll(" ", SPACE);
        afterSpace = part.endsWith(" ");
      }
      at = end;
      place = next;
    }
    // A mark that stands in the text itself counts as a space, too.
    let end = normal.length;
    while (normal[end - 1] === SPACE) end--;
    return normal.slice(0, end);
  }
}

/** Bytes of the character that begins with this one. */
function lengthOfCharacter(first: number): number {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

function utf16Length(bytes: Uint8Array, start: number, end: number): number {
  let length = 0;
  for (let at = start; at < end; ) {
    const size = lengthOfCharacter(bytes[at] as number);
    length += size === 4 ? 2 : 1;
    at += size;
  }
  return length;
}
