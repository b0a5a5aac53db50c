/** Finds again what a picture's file says of how it came about; `svg.ts`, `pngText.ts`, `gif.ts` and `video.ts` write it. */
import { NOTE_KEYWORD } from "./pngText";

/** A longer note than any run has: a file from a stranger is not read to its end for one. */
const LONGEST_NOTE = 4_000_000;

/** The note in an SVG, PNG, GIF, MP4 or WebM file of ours; null where there is none. */
export function noteIn(bytes: Uint8Array): string | null {
  if (startsWith(bytes, "\x89PNG\r\n\x1a\n")) return noteInPng(bytes);
  if (startsWith(bytes, "GIF8")) return noteInGif(bytes);
  if (startsWith(bytes.subarray(4, 8), "ftyp") || startsWith(bytes, "\x1aE\xdf\xa3")) return noteInFilm(bytes);
  return noteInSvg(new TextDecoder().decode(bytes.subarray(0, LONGEST_NOTE)));
}

function startsWith(bytes: Uint8Array, sign: string): boolean {
  return Array.from(sign).every((letter, at) => bytes[at] === letter.charCodeAt(0));
}

/** In the text chunk of our keyword, among the chunks: length, name, data, checksum. */
function noteInPng(bytes: Uint8Array): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = new TextEncoder().encode(`${NOTE_KEYWORD}\0\0\0\0\0`);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const data = bytes.subarray(at + 8, at + 8 + length);
    const isText = startsWith(bytes.subarray(at + 4, at + 8), "iTXt");
    if (isText && head.every((byte, i) => data[i] === byte))
      return new TextDecoder().decode(data.subarray(head.length));
    at += 12 + length;
  }
  return null;
}

/** The last comment: blocks of at most 255 bytes, each behind its length, up to one of none. */
function noteInGif(bytes: Uint8Array): string | null {
  const { length } = bytes;
  // It stands at the end, before the byte that ends the file, so that the pictures need not be read.
  for (let at = length - 3; at > 0 && length - at < LONGEST_NOTE; at--) {
    if (bytes[at] !== 0x21 || bytes[at + 1] !== 0xfe) continue;
    const note = blocksAt(bytes, at + 2);
    if (note) return note;
  }
  return null;
}

function blocksAt(bytes: Uint8Array, from: number): string | null {
  let text = "";
  let at = from;
  for (;;) {
    const size = bytes[at];
    if (size === undefined) return null;
    // Only behind the comment does the file end.
    if (size === 0) return at === bytes.length - 2 ? text : null;
    text += String.fromCharCode(...bytes.subarray(at + 1, at + 1 + size));
    at += 1 + size;
  }
}

/** How a note begins, whatever stands around it. */
const BEGINS = '{"elf-playground"';

/** The comment among a film's metadata: plain text, wherever the form of the file has put it. It ends where its JSON does. */
function noteInFilm(bytes: Uint8Array): string | null {
  const first = BEGINS.charCodeAt(0);
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (!startsWith(bytes.subarray(at, at + BEGINS.length), BEGINS)) continue;
    return objectAt(new TextDecoder().decode(bytes.subarray(at, at + LONGEST_NOTE)));
  }
  return null;
}

/** The JSON object that a text begins with; null where it does not end. */
function objectAt(text: string): string | null {
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === "{") depth++;
    if (token === "}" && --depth === 0) return text.slice(0, index + 1);
  }
  return null;
}

const XML: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"' };

function noteInSvg(text: string): string | null {
  const note = /<metadata>([^<]*)<\/metadata>/.exec(text)?.[1];
  return note?.replace(/&(amp|lt|gt|quot);/g, (_, name: string) => XML[name] ?? "") ?? null;
}
