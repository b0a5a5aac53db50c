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
  // It stands at the end, before the byte that ends the file, so that the pictures need not be read.
  const tail = bytes.subarray(-LONGEST_NOTE);
  const end = tail.length - 2;
  // Whether blocks that begin there lead to that end. Backwards, since each place is looked at once then, whatever they say.
  const leads = new Uint8Array(tail.length + 256);
  if (tail[end] === 0) leads[end] = 1;
  for (let at = end - 1; at > 2; at--) {
    const size = tail[at] as number;
    if (size === 0) continue;
    leads[at] = leads[at + 1 + size] as number;
    if (leads[at] && tail[at - 2] === 0x21 && tail[at - 1] === 0xfe) return blocksAt(tail, at);
  }
  return null;
}

function blocksAt(bytes: Uint8Array, from: number): string {
  let text = "";
  for (let at = from; bytes[at]; at += 1 + (bytes[at] as number)) {
    text += String.fromCharCode(...bytes.subarray(at + 1, at + 1 + (bytes[at] as number)));
  }
  return text;
}

/** Bytes that are searched at a time. */
const PART = 2 ** 20;

/** How a note begins, whatever stands around it. */
const BEGINS = '{"elf-playground"';

/** The comment among a film's metadata: plain text, wherever the form of the file has put it. It ends where its JSON does. */
function noteInFilm(bytes: Uint8Array): string | null {
  const letters = new TextDecoder("latin1");
  // Part by part as text, which engines search faster than bytes; a part goes a little into the next.
  for (let from = 0; from < bytes.length; from += PART) {
    const found = letters.decode(bytes.subarray(from, from + PART + BEGINS.length)).indexOf(BEGINS);
    if (found >= 0)
      return objectAt(new TextDecoder().decode(bytes.subarray(from + found, from + found + LONGEST_NOTE)));
  }
  return null;
}

/** The JSON object that a text begins with; null where it does not end. */
function objectAt(text: string): string | null {
  let depth = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === '"') isQuoted = !isQuoted;
    else if (isQuoted) at += letter === "\\" ? 1 : 0;
    else if (letter === "{") depth++;
    else if (letter === "}" && --depth === 0) return text.slice(0, at + 1);
  }
  return null;
}

const XML: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"' };

function noteInSvg(text: string): string | null {
  const note = /<metadata>([^<]*)<\/metadata>/.exec(text)?.[1];
  return note?.replace(/&(amp|lt|gt|quot);/g, (_, name: string) => XML[name] ?? "") ?? null;
}
