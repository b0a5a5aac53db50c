import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readTrace } from "../../format/trace";
import { recordedRun, type ShownRun } from "../run/run";
import { frameOf, shownRunOf } from "../testing/runs";
import { mix, PALETTES } from "./colours";
import { drawingOf, PictureError, type PictureWish } from "./drawing";
import { breakLines, cutToWidth, type Piece } from "./lines";
import { withPngText } from "./pngText";
import { svgOf } from "./svg";
import { estimateWidth, isRightToLeft, type Type } from "./typography";

const stories = recordedRun("stories", readTrace(readFileSync("public/traces/stories.json", "utf8")));
const short = shownRunOf(["▁the ▁cat s .", "▁the ▁sat s . </s>"]);

const drawn = (run: ShownRun, index: number, wish: Partial<PictureWish> = {}) =>
  drawingOf({ run, index, recipe: "run=seed:7", ...wish });
const textOf = (drawing: ReturnType<typeof drawn>) =>
  drawing.lines.map(({ spans }) => spans.map(({ text }) => text).join(""));

/** Attributes that a well-formed file may have nowhere, in a string that would like to be one. */
const hostile = '"><script>alert(1)</script>\u0000\uD800&';

describe("a frame as a picture (point 26)", () => {
  it("has its words, its time, and the settings that wrote it", () => {
    const text = textOf(drawn(short, 1, { title: "Stories" }));
    expect(text).toContain("the sats.∎");
    expect(text).toContain("t = 1.00 · step 1 of 1 · What it holds");
    expect(text.join("\n")).toContain("Stories · 1 step");
    expect(textOf(drawn(short, 0)).slice(-1)).toEqual(["the cats."]);
  });

  it("inks words by certainty, from mist to ink, in the colours of its theme", () => {
    const frame = frameOf(0, 1, "▁the", "▁cat", "▁sat", "</s>");
    const holds = { ...frame.holds, entropy: Float32Array.of(0, 9, 2, 0) };
    const run = { ...short, trajectory: { ...short.trajectory, frames: [{ ...frame, holds }] } };
    const { ink, mist, flow, paper } = PALETTES.dark;
    const { lines, rectangles } = drawn(run, 0, { theme: "dark" });
    const [decided, open, between, end] = lines.at(-1)?.spans.map(({ colour }) => colour) ?? [];
    expect([decided, open, end]).toEqual([ink, mist, flow]);
    expect([ink, mist]).not.toContain(between);
    expect(rectangles[0]?.colour).toBe(paper);
  });

  it("shows what was given and marks what is held", () => {
    const trajectory = { ...short.trajectory, prompt: { text: "Lily\nwent" }, held: [{ position: 1, token: 4 }] };
    const drawing = drawn({ ...short, trajectory }, 1);
    expect(textOf(drawing)).toContain("Given: Lily went");
    const spans = drawing.lines.flatMap(({ spans }) => spans);
    expect(spans.filter(({ underlined }) => underlined).map(({ text }) => text)).toEqual([" sat"]);
    expect(svgOf(drawing)).toContain('text-decoration="underline"');
  });

  it.each([
    [1200, 630],
    [160, 160],
    [400, 1600],
    [4000, 300],
  ])("%i by %i: nothing is drawn outside, nor over something else", (width, height) => {
    for (const index of [0, 16, 32]) {
      const { lines, rectangles } = drawn(stories, index, { width, height });
      const feet = lines.map(({ y }) => y).sort((a, b) => a - b);
      for (const line of lines) {
        expect(line.x).toBeGreaterThanOrEqual(0);
        expect(line.x + line.width).toBeLessThanOrEqual(width);
        expect(line.y).toBeLessThan(height);
        expect(line.y - line.type.size).toBeGreaterThanOrEqual(0);
      }
      expect(new Set(feet).size).toBe(feet.length);
      const track = rectangles[1];
      const serif = lines.filter(({ type }) => type.family === "serif");
      expect(Math.max(...serif.map(({ y }) => y))).toBeLessThan(track?.y ?? 0);
    }
  });

  it("all frames of a run are set in one size, so that one may follow another", () => {
    const sizes = [0, 8, 16, 24, 32].map((index) => drawn(stories, index).lines.at(-1)?.type.size);
    expect(new Set(sizes).size).toBe(1);
  });

  it("says in its file by which recipe it can be had again", () => {
    const svg = svgOf(drawn(stories, 16));
    const [, note = ""] = /<metadata>(.*)<\/metadata>/.exec(svg) ?? [];
    expect(JSON.parse(note.replaceAll("&quot;", '"'))).toMatchObject({
      "elf-playground": 1,
      model: stories.trajectory.model,
      step: 16,
      reading: "holds",
      recipe: "run=seed:7",
    });
    expect(svg).toMatch(/^<svg [^>]*role="img"/);
    expect(svg).toContain("<title>");
  });

  it("nothing of a run is markup in it", () => {
    const pieces = short.pieces.map((piece) => (piece === "▁cat" ? `▁${hostile}` : piece));
    const prompt = { text: hostile };
    const run = { ...short, pieces, trajectory: { ...short.trajectory, model: hostile, prompt } };
    const svg = svgOf(drawn(run, 0, { title: hostile, recipe: hostile }));
    expect(svg).not.toContain("<script");
    expect(svg).not.toContain("\u0000");
    expect(svg).not.toContain("\uD800");
    expect(svg).not.toMatch(/&(?!amp;|lt;|gt;|quot;)/);
  });

  it("what is written from right to left begins at the right", () => {
    const pieces = short.pieces.map((piece) => (piece === "▁the" ? "▁שלום" : piece));
    const drawing = drawn({ ...short, pieces }, 0);
    const line = drawing.lines.at(-1);
    expect(line).toMatchObject({ isRightToLeft: true, x: 1200 - 50 });
    expect(svgOf(drawing)).toContain('direction="rtl"');
    expect(isRightToLeft("… 12 مرحبا a")).toBe(true);
    expect(isRightToLeft("12 a مرحبا")).toBe(false);
  });

  it.each([
    [{ width: 100 }, /width is 100/],
    [{ height: 9000 }, /height is 9000/],
    [{ width: 300.5 }, /width is 300.5/],
    [{ index: 99 }, /no frame 99/],
  ])("%j is refused by name", (wrong, words) => {
    expect(() => drawn(short, 0, wrong)).toThrow(PictureError);
    expect(() => drawn(short, 0, wrong)).toThrow(words);
  });
});

describe("lines", () => {
  const type: Type = { family: "serif", size: 10, weight: 400 };
  const measure = (text: string) => 10 * Array.from(text).length;
  const pieces = (text: string): Piece[] =>
    text.split(/(?=[ +])/).map((word, i) => ({
      text: word.replace(/^[ +]/, ""),
      colour: "",
      spaceBefore: i > 0 && word.startsWith(" "),
    }));
  const broken = (text: string, width: number) =>
    breakLines(pieces(text), width, type, measure).map((line) => line.map(({ text }) => text).join(""));

  it("break between words, and keep the tokens of a word together", () => {
    expect(broken("the cat+s sat", 80)).toEqual(["the cats", "sat"]);
    expect(broken("the cat+s sat", 70)).toEqual(["the", "cats", "sat"]);
  });

  it("break within what is wider than a line, and leave alone what cannot be broken", () => {
    expect(broken("aaa+bbb+ccc", 60)).toEqual(["aaabbb", "ccc"]);
    expect(broken("a abcdefghij b", 50)).toEqual(["a", "abcdefghij", "b"]);
  });

  it("are cut to a width with an ellipsis", () => {
    expect(cutToWidth("abcdef", 60, type, measure)).toBe("abcdef");
    expect(cutToWidth("abcdef", 50, type, measure)).toBe("abcd…");
    expect(cutToWidth("abc def", 50, type, measure)).toBe("abc…");
  });

  it("are guessed to be as wide as type is, about", () => {
    // Georgia's own widths of these, in ems: 4.6, 2.9 and 2.
    expect(estimateWidth("The mom pu", type) / 10).toBeCloseTo(5, 0);
    expect(estimateWidth("fillit", type)).toBeLessThan(estimateWidth("mammal", type));
    expect(estimateWidth("漢字", type)).toBe(20);
  });
});

describe("colours of pictures", () => {
  it("are those of the page, in both themes", () => {
    const tokens = readFileSync("src/player/theme/tokens.css", "utf8");
    for (const [name, light] of Object.entries(PALETTES.light)) {
      const property = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      expect(tokens).toContain(`--${property}: light-dark(${light}, ${Reflect.get(PALETTES.dark, name)});`);
    }
  });

  it("are mixed as browsers mix them", () => {
    expect(mix("#1c1917", "#7468ad", 1)).toBe("#1c1917");
    expect(mix("#1c1917", "#7468ad", 0)).toBe("#7468ad");
    // Chromium's color-mix(in oklab, white, black).
    expect(mix("#ffffff", "#000000", 0.5)).toBe("#636363");
  });
});

describe("text in a PNG", () => {
  it("stands behind its header, as other programs read it", () => {
    const chunk = (kind: string, data: Buffer) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(data.length);
      return Buffer.concat([length, Buffer.from(kind), data, Buffer.alloc(4)]);
    };
    const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
    const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    const rest = Buffer.concat([chunk("IDAT", deflateSync(Buffer.from([0, 0]))), chunk("IEND", Buffer.alloc(0))]);
    const png = Buffer.concat([signature, chunk("IHDR", header), rest]);
    const out = Buffer.from(withPngText(png, "ä"));
    const at = png.length - rest.length;
    expect(out.subarray(0, at)).toEqual(png.subarray(0, at));
    expect(out.readUInt32BE(at)).toBe(21);
    expect(out.subarray(at + 4, at + 29).toString()).toBe(`iTXtelf-playground${"\0".repeat(5)}ä`);
    expect(out.subarray(-rest.length)).toEqual(rest);
    // CRC-32 of the chunk's kind and data, as zlib reckons it.
    expect(out.readUInt32BE(at + 8 + 21).toString(16)).toBe("7e0409a3");
  });
});
