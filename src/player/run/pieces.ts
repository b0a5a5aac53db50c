import { endOf } from "../../flow/tokens";
import { ENGLISH, type Words } from "../words";

/** How one token is shown. Several of them, in order, make the text. */
export interface TokenText {
  readonly position: number;
  /** Without its leading space; may be empty. */
  readonly text: string;
  readonly spaceBefore: boolean;
  /** `end`: the end-of-sequence token. `blank`: nothing to see, like padding. `unknown`: no text is known for the id. */
  readonly kind: "word" | "end" | "blank" | "unknown";
  /** Comes after the first end-of-sequence token, and so is no part of the text. */
  readonly afterEnd: boolean;
}

/** Stands where a text ends. */
export const END_SIGN = "∎";

const UNKNOWN = "⁇";
const BYTE_PIECE = /^<0x([0-9A-Fa-f]{2})>$/;
const NAMED_PIECE = /^<[^<>\s]+>$/;

/**
 * Joins SentencePiece pieces to text. `▁` is a space; `<0xE2>` is a byte of UTF-8, and a row of them is read together:
 * the first token of the row shows all of it.
 */
export function tokenTexts(tokens: Int32Array, pieces: readonly string[], eos: number | null): TokenText[] {
  const end = endOf(tokens, eos);
  const shown: TokenText[] = [];
  let position = 0;
  while (position < tokens.length) {
    const bytes = byteRow(tokens, pieces, position);
    const row = Math.max(1, bytes.length);
    for (let i = 0; i < row; i++) {
      const at = position + i;
      const looks = bytes.length
        ? ({ text: i === 0 ? decodeBytes(bytes) : "", spaceBefore: false, kind: i === 0 ? "word" : "blank" } as const)
        : looksOf(tokens[at] as number, pieces, eos);
      shown.push({ position: at, ...looks, spaceBefore: looks.spaceBefore && at > 0, afterEnd: at > end });
    }
    position += row;
  }
  return shown;
}

/** The text up to the end-of-sequence token, as a screen reader should say it. */
export function joinText(tokens: Int32Array, pieces: readonly string[], eos: number | null): string {
  return tokenTexts(tokens, pieces, eos)
    .filter(({ kind, afterEnd }) => !afterEnd && kind !== "end")
    .map(({ text, spaceBefore }) => (spaceBefore ? ` ${text}` : text))
    .join("")
    .trim();
}

/** How a single token is named in a list: its text, or a word for what it is. */
export function tokenName(
  token: number,
  pieces: readonly string[],
  eos: number | null,
  { tokens }: Pick<Words, "tokens"> = ENGLISH,
): string {
  if (token === eos) return tokens.end;
  const piece = pieces[token] ?? "";
  if (BYTE_PIECE.test(piece)) return tokens.byte(piece.slice(3, -1));
  const { text, kind, spaceBefore } = looksOf(token, pieces, eos);
  if (kind === "blank") return piece === "▁" ? tokens.space : tokens.padding;
  return text || (spaceBefore ? tokens.space : UNKNOWN);
}

function looksOf(
  token: number,
  pieces: readonly string[],
  eos: number | null,
): Pick<TokenText, "text" | "spaceBefore" | "kind"> {
  if (token === eos) return { text: "", spaceBefore: false, kind: "end" };
  const piece = pieces[token] ?? "";
  if (piece === "<pad>") return { text: "", spaceBefore: false, kind: "blank" };
  if (piece === "" || NAMED_PIECE.test(piece)) return { text: UNKNOWN, spaceBefore: true, kind: "unknown" };
  const spaceBefore = piece.startsWith("▁");
  const text = (spaceBefore ? piece.slice(1) : piece).replaceAll("▁", " ");
  return { text, spaceBefore, kind: text === "" ? "blank" : "word" };
}

function byteRow(tokens: Int32Array, pieces: readonly string[], from: number): number[] {
  const bytes: number[] = [];
  for (let at = from; at < tokens.length; at++) {
    const match = BYTE_PIECE.exec(pieces[tokens[at] as number] ?? "");
    if (!match) break;
    bytes.push(Number.parseInt(match[1] as string, 16));
  }
  return bytes;
}

function decodeBytes(bytes: readonly number[]): string {
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
