export interface SpecialToken {
  readonly id: number;
  readonly content: string;
  /** Whether it takes the white space before it, or after it, with it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

/** Special tokens that stand in a text as they are spelled, `</s>`: as in Transformers they are these tokens. */
export class SpecialTokens {
  readonly #tokens: ReadonlyMap<string, SpecialToken>;
  readonly #finder: RegExp;

  constructor(tokens: readonly SpecialToken[]) {
    this.#tokens = new Map(tokens.map((token) => [token.content, token]));
    const longestFirst = [...this.#tokens.keys()].sort((a, b) => b.length - a.length);
    const escaped = longestFirst.map((content) => content.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
    this.#finder = new RegExp(escaped.join("|") || "(?!)", "gu");
  }

  /** The tokens of a text; what stands between special ones is read by `encode`, each part by itself. */
  read(text: string, encode: (part: string) => number[]): number[] {
    const ids: number[] = [];
    // Not by spreading: a call takes only so many arguments.
    const add = (more: number[]) => {
      for (const id of more) ids.push(id);
    };
    let at = 0;
    let isStripped = false;
    for (const found of text.matchAll(this.#finder)) {
      const token = this.#tokens.get(found[0]) as SpecialToken;
      add(encode(between(text.slice(at, found.index), isStripped, token.lstrip)));
      ids.push(token.id);
      at = found.index + found[0].length;
      isStripped = token.rstrip;
    }
    add(encode(between(text.slice(at), isStripped, false)));
    return ids;
  }
}

const WHITE_SPACE = /^\p{White_Space}$/u;

function between(text: string, left: boolean, right: boolean): string {
  let start = 0;
  let end = text.length;
  while (right && end > start && WHITE_SPACE.test(text[end - 1] as string)) end--;
  while (left && start < end && WHITE_SPACE.test(text[start] as string)) start++;
  return text.slice(start, end);
}
