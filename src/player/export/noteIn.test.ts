import { describe, expect, it } from "vitest";
import { shownRunOf } from "../testing/runs";
import { drawingOf } from "./drawing";
import { noteIn } from "./noteIn";
import { withPngText } from "./pngText";
import { svgOf } from "./svg";

const bytes = (...parts: (string | number[])[]) =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...part].map((c) => c.charCodeAt(0)) : part)));
const drawing = drawingOf({
  run: shownRunOf(["▁the ▁cat", "▁the ▁sat"]),
  index: 1,
  recipe: 'run=prompt:"a<b>&c",seed:7',
});

/** A signature and a header, as much of a PNG as is needed. */
const PNG = bytes([0x89], "PNG\r\n\x1a\n", [0, 0, 0, 13], "IHDR", new Array(17).fill(0));

/** A comment in blocks of 255, and the byte that ends the file. */
function gif(comment: string, before: number[] = [0x21, 0xf9, 4, 0, 0, 0, 0, 0]): Uint8Array {
  const blocks = comment.match(/.{1,255}/gs) ?? [];
  return bytes("GIF89a", before, [0x21, 0xfe], ...blocks.flatMap((block) => [[block.length], block]), [0, 0x3b]);
}

describe("what a picture says of its run is found again", () => {
  it("in an SVG, whatever its recipe", () => {
    const note = noteIn(new TextEncoder().encode(svgOf(drawing)));
    expect(note).toBe(drawing.note);
    expect(JSON.parse(note ?? "").recipe).toBe('run=prompt:"a<b>&c",seed:7');
  });

  it("in a PNG, behind other chunks too", () => {
    expect(noteIn(withPngText(PNG, "ä note"))).toBe("ä note");
    const other = bytes([0, 0, 0, 2], "tEXt", [65, 66, 0, 0, 0, 0]);
    const behind = Uint8Array.from([...PNG, ...other, ...withPngText(PNG, "last").subarray(PNG.length)]);
    expect(noteIn(behind)).toBe("last");
  });

  it("in a film, between other bytes, and no further than it goes", () => {
    const note = '{"elf-playground":1,"recipe":"a \\"}\\" b","deep":{"er":"{"}}';
    const rest = [0xff, 0xd8, 0x7b, 0x7d];
    expect(noteIn(bytes([0, 0, 0, 24], "ftypisom", [123, 34], note, rest))).toBe(note);
    expect(noteIn(bytes([0x1a, 0x45, 0xdf, 0xa3], "webm", note, rest))).toBe(note);
  });

  it("in a GIF, of any length", () => {
    for (const note of ["short", "x".repeat(255), `{"recipe":"${"y".repeat(1000)}"}`]) {
      expect(noteIn(gif(note))).toBe(note);
    }
    expect(noteIn(gif("told", [0x21, 0xfe, 3, 65, 66, 67, 0])), "the last comment counts").toBe("told");
  });
});

it.each([
  ["an SVG of somebody else", bytes('<svg xmlns="http://www.w3.org/2000/svg"/>')],
  ["a PNG of somebody else", PNG],
  ["a PNG that is cut in its length", withPngText(PNG, "note").subarray(0, PNG.length + 3)],
  [
    "a PNG whose chunk is longer than the file",
    bytes([0x89], "PNG\r\n\x1a\n", [255, 255, 255, 255], "iTXt", [0, 0, 0, 0]),
  ],
  ["a GIF without a comment", bytes("GIF89a", [0, 0x3b])],
  ["a GIF whose comment is cut", gif("x".repeat(300)).subarray(0, 200)],
  ["a film of somebody else", bytes([0, 0, 0, 24], "ftypisom{}")],
  ["a film whose note is cut", bytes([0, 0, 0, 24], 'ftypisom{"elf-playground":1,"x":{}')],
  ["nothing", bytes()],
])("%s says nothing", (_, file) => expect(noteIn(file)).toBeNull());

it.each([
  ["a GIF of comments that lead to each other", "GIF89a", [0x21, 0xfe, 0x21]],
  ["a film of notes that never begin", "\0\0\0\x18ftyp", [123]],
  ["a film of a note whose text never ends", '\0\0\0\x18ftyp{"elf-playground":"', [92, 34]],
])("%s is looked through once", (_, head, part) => {
  const file = new Uint8Array(4_000_000);
  for (let at = 0; at < file.length; at++) file[at] = part[at % part.length] as number;
  file.set(bytes(head));
  const began = process.cpuUsage();
  expect(noteIn(file)).toBeNull();
  // Looking from each place to the end takes minutes.
  expect(process.cpuUsage(began).user / 1e6).toBeLessThan(5);
});
