/** The keyword under which a picture's file says how it came about. */
export const NOTE_KEYWORD = "elf-playground";

/** Bytes of a PNG's signature and of its first chunk, the header. */
const BEHIND_HEADER = 8 + 25;

/** The same PNG with a text in it (an `iTXt` chunk, UTF-8), which no viewer shows and every reader of metadata finds. */
export function withPngText(png: Uint8Array, text: string): Uint8Array<ArrayBuffer> {
  // Keyword, its end, not packed, the way of packing, no language, no translated keyword.
  const data = new TextEncoder().encode(`${NOTE_KEYWORD}\0\0\0\0\0${text}`);
  const chunk = new Uint8Array(12 + data.length);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, data.length);
  chunk.set(new TextEncoder().encode("iTXt"), 4);
  chunk.set(data, 8);
  view.setUint32(8 + data.length, checksum(chunk.subarray(4, 8 + data.length)));
  const out = new Uint8Array(png.length + chunk.length);
  out.set(png.subarray(0, BEHIND_HEADER));
  out.set(chunk, BEHIND_HEADER);
  out.set(png.subarray(BEHIND_HEADER), BEHIND_HEADER + chunk.length);
  return out;
}

/** CRC-32 as PNG has it. */
function checksum(bytes: Uint8Array): number {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}
