import { SPACE } from "./sentencePiece";
import { Unigram, type UnigramOptions } from "./unigram";

/**
 * Code points whose normal form, or whose order among marks, Unicode has set since version 9, which `tokenizers` goes by:
 * [first, last] of each run. The engine that this code runs on may know any later version.
 */
// biome-ignore format: a table
const NOT_NORMALISED: readonly (readonly [number, number])[] = [
  [0x7fd, 0x7fd], [0x897, 0x8d3], [0x9fe, 0x9fe], [0xc3c, 0xc3c], [0xd3b, 0xd3c], [0xeba, 0xeba], [0x1715, 0x1715],
  [0x1abf, 0x1aeb], [0x1df6, 0x1dfa], [0x32ff, 0x32ff], [0xa7f1, 0xa7f4], [0xa82c, 0xa82c], [0xab69, 0xab69],
  [0x105c9, 0x107ba], [0x10d24, 0x10f85], [0x11070, 0x11070], [0x1133b, 0x1133b], [0x11382, 0x113d0],
  [0x1145e, 0x1145e], [0x11839, 0x11a99], [0x11d42, 0x11f42], [0x1611e, 0x1612f], [0x16d63, 0x16d6a],
  [0x16ff0, 0x16ff1], [0x1ccd6, 0x1ccf9], [0x1e030, 0x1e6f5], [0x1f16c, 0x1f16c], [0x1fbf0, 0x1fbf9],
];

const APART = new RegExp(
  `[${NOT_NORMALISED.map(([first, last]) => `\\u{${first.toString(16)}}-\\u{${last.toString(16)}}`).join("")}]+`,
  "gu",
);

/**
 * Texts as the ids of this project's first tokenizers: NFKC, runs of white space as one space, cut word by word. All as
 * the `tokenizers` library does it, by which their models were trained.
 */
export class SqueezedNfkc {
  readonly #unigram: Unigram;

  constructor(options: Omit<UnigramOptions, "sums" | "without">) {
    this.#unigram = new Unigram({ ...options, without: new Set(), sums: "float64" });
  }

  encode(text: string): number[] {
    const marked = this.normalise(text).replaceAll(" ", SPACE);
    const words = (marked && !marked.startsWith(SPACE) ? SPACE + marked : marked).split(/(?=▁)/);
    return words.flatMap((word) => this.#unigram.encode(word));
  }

  normalise(text: string): string {
    return nfkc(text)
      .replace(/\p{White_Space}+/gu, " ")
      .replace(/^ | $/g, "");
  }
}

function nfkc(text: string): string {
  let normal = "";
  let at = 0;
  for (const { 0: apart, index } of text.matchAll(APART)) {
    normal += text.slice(at, index).normalize("NFKC") + apart;
    at = index + apart.length;
  }
  return normal + text.slice(at).normalize("NFKC");
}
