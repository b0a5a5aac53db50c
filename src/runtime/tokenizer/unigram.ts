/** Pieces of a vocabulary with their scores: the cut of a text into the pieces whose scores have the largest sum. */

/** What the unknown costs more than the worst piece. */
const UNKNOWN_PENALTY = 10;

export interface UnigramOptions {
  /** `[piece, score]` by id. */
  readonly vocabulary: readonly (readonly [string, number])[];
  readonly unknown: number;
  /** Ids of pieces that are not looked for in a text. */
  readonly without: ReadonlySet<number>;
  /**
   * How sums are kept: SentencePiece rounds each to float32, `tokenizers` has float64. Where two cuts are equally good,
   * as in "ggggg", the rounding alone decides between them.
   */
  readonly sums: "float32" | "float64";
}

export class Unigram {
  /** Ids by pieces; −1 for what only begins one. */
  readonly #ids = new Map<string, number>();
  readonly #scores: Float64Array;
  readonly #unknown: number;
  readonly #unknownScore: number;
  readonly #round: (sum: number) => number;
  /** Of the best cut up to each place of a text: its sum, where its last piece starts, and that piece. */
  #sums = new Float64Array(64);
  #starts = new Int32Array(64);
  #last = new Int32Array(64);

  constructor({ vocabulary, unknown, without, sums }: UnigramOptions) {
    this.#round = sums === "float32" ? Math.fround : (sum) => sum;
    this.#scores = Float64Array.from(vocabulary, ([, score]) => this.#round(score));
    this.#unknown = unknown;
    let least = Number.POSITIVE_INFINITY;
    vocabulary.forEach(([piece], id) => {
      if (without.has(id)) return;
      least = Math.min(least, this.#scores[id] as number);
      for (let end = 1; end < piece.length; end++) {
        const beginning = piece.slice(0, end);
        if (!this.#ids.has(beginning)) this.#ids.set(beginning, -1);
      }
      this.#ids.set(piece, id);
    });
    this.#unknownScore = this.#round(least - UNKNOWN_PENALTY);
  }

  /** The ids of the best cut. Characters without a piece, as many as follow each other, are one unknown token. */
  encode(text: string): number[] {
    if (text.length >= this.#starts.length) this.#makeRoom(2 * text.length + 1);
    const [sums, starts, ids] = [this.#sums, this.#starts, this.#last];
    starts.fill(-1, 0, text.length + 1);
    const offer = (start: number, end: number, id: number, score: number) => {
      const sum = this.#round(score + (sums[start] as number));
      if (starts[end] !== -1 && sum <= (sums[end] as number)) return;
      sums[end] = sum;
      starts[end] = start;
      ids[end] = id;
    };
    for (let start = 0; start < text.length; ) {
      const next = start + ((text.codePointAt(start) as number) > 0xffff ? 2 : 1);
      let isKnown = false;
      for (let end = start + 1; end <= text.length; end++) {
        const id = this.#ids.get(text.slice(start, end));
        if (id === undefined) break;
        if (id < 0) continue;
        offer(start, end, id, this.#scores[id] as number);
        isKnown ||= end === next;
      }
      if (!isKnown) offer(start, next, this.#unknown, this.#unknownScore);
      start = next;
    }
    const backwards: number[] = [];
    for (let end = text.length; end > 0; end = starts[end] as number) {
      const id = ids[end] as number;
      if (id !== this.#unknown || backwards.at(-1) !== id) backwards.push(id);
    }
    return backwards.reverse();
  }

  #makeRoom(size: number): void {
    this.#sums = new Float64Array(size);
    this.#starts = new Int32Array(size);
    this.#last = new Int32Array(size);
  }
}
