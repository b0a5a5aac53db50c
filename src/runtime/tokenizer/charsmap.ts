/**
 * SentencePiece's table of normalisations, `precompiled_charsmap`: a double array of the byte sequences that are replaced,
 * followed by what replaces them. At each place of a text the longest of them counts.
 */
export class Charsmap {
  readonly #units: Uint32Array;
  readonly #replacements: Uint8Array;
  readonly #texts = new Map<number, string>();

  /** @throws {RangeError} the table is cut off. */
  constructor(base64: string) {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const size = bytes.length === 0 ? 0 : view.getUint32(0, true);
    if (size % 4 !== 0 || 4 + size > Math.max(4, bytes.length)) throw new RangeError("its charsmap is cut off");
    this.#units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#replacements = bytes.subarray(4 + size);
  }

  /** What the longest known sequence at `start` becomes, and where it ends; undefined where none is known. */
  longest(bytes: Uint8Array, start: number): { text: string; end: number } | undefined {
    const units = this.#units;
    let found: { value: number; end: number } | undefined;
    let at = offsetOf(units[0] ?? 0);
    for (let end = start; end < bytes.length; ) {
      const byte = bytes[end++] as number;
      const unit = units[at ^ byte];
      if (unit === undefined || labelOf(unit) !== byte) break;
      at ^= byte ^ offsetOf(unit);
      if (hasLeaf(unit)) found = { value: leafOf(units[at] ?? 0), end };
    }
    return found && { text: this.#text(found.value), end: found.end };
  }

  #text(place: number): string {
    let text = this.#texts.get(place);
    if (text === undefined) {
      const end = this.#replacements.indexOf(0, place);
      text = new TextDecoder().decode(this.#replacements.subarray(place, end < 0 ? undefined : end));
      this.#texts.set(place, text);
    }
    return text;
  }
}

// A unit of a double array, as darts-clone lays it out: label in the low bits, then a bit for "a value hangs here", then the
// offset of its children, in steps of 256 where it is large.
const labelOf = (unit: number) => (unit & 0x8000_00ff) >>> 0;
const hasLeaf = (unit: number) => ((unit >>> 8) & 1) === 1;
const leafOf = (unit: number) => unit & 0x7fff_ffff;
const offsetOf = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6);
