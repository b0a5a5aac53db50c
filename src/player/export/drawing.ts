/**
 * A frame of a run laid out as a picture, drawn from the run itself and never captured from a page: the text, each word inked
 * by how sure the model is of it, and below it its time and the settings that wrote it. `svg.ts` and `canvas.ts` draw it.
 */
import { ElfError } from "../../flow/errors";
import type { ReadingName } from "../../flow/trajectory";
import { certaintyOf } from "../run/certainty";
import { givenText } from "../run/givenText";
import { heldAt } from "../run/held";
import { END_SIGN, joinText, tokenTexts } from "../run/pieces";
import { readingAt, type ShownRun, stepsOf } from "../run/run";
import { describeSettings } from "../run/settingsInWords";
import { reservedTexts } from "../stage/reservedTexts";
import { isVisible } from "../stage/visible";
import { ENGLISH, type Words } from "../words";
import { mix, PALETTES, type Palette, type ThemeName } from "./colours";
import { breakLines, cutToWidth, type Piece, type Span } from "./lines";
import { estimateWidth, isRightToLeft, type Measure, type Type } from "./typography";

/** A picture that cannot be drawn. */
export class PictureError extends ElfError {
  readonly code = "picture";
}

export interface PictureWish {
  readonly run: ShownRun;
  /** Frame, counted from noise. */
  readonly index: number;
  /** The end of a link to the run, `run=…`, which makes it again; it is kept in the picture's file. */
  readonly recipe: string;
  /** `holds` unless given. */
  readonly reading?: ReadingName;
  readonly theme?: ThemeName;
  /** Pixels; 1200 by 630 unless given, as previews of links are. */
  readonly width?: number;
  readonly height?: number;
  /** The model's title, as a person reads it. */
  readonly title?: string;
  /** English unless given. */
  readonly words?: Words;
  /** By the fonts of whoever draws; guessed unless given. */
  readonly measure?: Measure;
}

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly colour: string;
}

export interface Line {
  /** Where it begins: its right end where it is written from right to left. `y` is that of its feet. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly type: Type;
  readonly isRightToLeft: boolean;
  readonly spans: readonly Span[];
}

/** A point, drawn over the curves. */
export interface Dot {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly colour: string;
}

/** A line through points, drawn over the rectangles. */
export interface Curve {
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly colour: string;
  readonly width: number;
  readonly isDashed?: boolean;
}

export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly rectangles: readonly Rectangle[];
  readonly curves?: readonly Curve[];
  readonly dots?: readonly Dot[];
  readonly lines: readonly Line[];
  /** What it is a picture of, and what can be read in it. */
  readonly title: string;
  readonly text: string;
  /** What its file says of how it came about, as JSON. */
  readonly note: string;
}

/** Length of a dash, and of the gap behind it, in widths of its line. */
export const DASH = 3;

/** Side of a picture in pixels, both allowed. */
const LEAST = 160;
const GREATEST = 8192;

/** Between the feet of two lines, in sizes of their type. */
const LEADING = 1.45;

/**
 * Lays a frame out.
 * @throws {PictureError} a side is no whole number from 160 to 8192, or the run has no such frame.
 */
export function drawingOf(wish: PictureWish): Drawing {
  const { run, index, reading = "holds", theme = "light", width = 1200, height = 630, title = "" } = wish;
  const { words = ENGLISH, measure = estimateWidth, recipe } = wish;
  for (const [name, side] of [
    ["width", width],
    ["height", height],
  ] as const) {
    if (Number.isInteger(side) && side >= LEAST && side <= GREATEST) continue;
    throw new PictureError(`${name} is ${side}.`, `Give a whole number of pixels from ${LEAST} to ${GREATEST}.`);
  }
  const frame = run.trajectory.frames[index];
  if (!frame) {
    const last = run.trajectory.frames.length - 1;
    throw new PictureError(`The run has no frame ${index}.`, `Give a step from 0 to ${last}.`);
  }
  const colours = PALETTES[theme];
  const least = Math.min(width, height);
  const margin = Math.round(0.08 * least);
  const room = width - 2 * margin;
  const small: Type = { family: "sans", size: Math.max(11, 0.033 * least), weight: 400 };
  const strong: Type = { ...small, weight: 600 };
  const lines: Line[] = [];
  const place = (spans: readonly Span[], y: number, type: Type) => {
    const rightToLeft = isRightToLeft(spans.map(({ text }) => text).join(""));
    const natural = spans.reduce((sum, { text }) => sum + measure(text, type), 0);
    const x = rightToLeft ? width - margin : margin;
    lines.push({ x, y, width: Math.min(room, natural), type, isRightToLeft: rightToLeft, spans });
  };
  const say = (text: string, colour: string, y: number, type: Type) =>
    place([{ text: cutToWidth(text, room, type, measure), colour }], y, type);

  // From below: what wrote it, its time in words, its time as a track.
  const settings = [title, describeSettings(run.trajectory, words)].filter(Boolean).join(" · ");
  const foot = height - margin;
  say(settings, colours.inkSoft, foot, small);
  const time = `${words.time.t(frame.t)} · ${words.time.step(index, stepsOf(run))} · ${words.readings[reading]}`;
  const timeFoot = foot - LEADING * small.size;
  say(time, colours.ink, timeFoot, strong);
  const track = timeFoot - 1.9 * small.size;
  const thick = Math.max(2, Math.round(0.006 * least));

  // From above: what it was given, and the text in what is left.
  let top = margin;
  const given = givenText(run);
  if (given) {
    top += small.size;
    say(`${words.given}: ${given.replace(/\s+/g, " ")}`, colours.inkSoft, top, small);
    top += small.size;
  }
  const area = { width: room, height: track - small.size - top };
  const pieces = piecesAt(run, index, reading, colours);
  const type = typeFor(run, pieces, area, least, measure);
  for (const [i, spans] of linesIn(area, pieces, type, measure).entries()) {
    place(spans, top + type.size + i * LEADING * type.size, type);
  }
  const { tokens = new Int32Array() } = readingAt(run, index, reading) ?? {};
  return {
    width,
    height,
    rectangles: [
      { x: 0, y: 0, width, height, colour: colours.paper },
      { x: margin, y: track, width: room, height: thick, colour: colours.line },
      { x: margin, y: track, width: room * Math.min(1, Math.max(0, frame.t)), height: thick, colour: colours.flow },
    ],
    lines,
    title: [title, time].filter(Boolean).join(" · "),
    text: joinText(tokens, run.pieces, run.eos),
    note: JSON.stringify({
      "elf-playground": 1,
      model: run.trajectory.model,
      step: index,
      t: frame.t,
      reading,
      recipe,
    }),
  };
}

/** The words of a frame, as the stage inks them. */
function piecesAt(run: ShownRun, index: number, reading: ReadingName, colours: Palette): Piece[] {
  const shown = readingAt(run, index, reading);
  if (!shown) return [];
  const held = heldAt(run, index);
  return tokenTexts(shown.tokens, run.pieces, run.eos)
    .filter(isVisible)
    .map(({ position, text, spaceBefore, kind, afterEnd }) => {
      const isHeld = held.has(position);
      // Whoever holds a word is sure of it.
      const certainty = isHeld ? 1 : certaintyOf(shown.entropy[position] ?? 0);
      const ink = afterEnd ? colours.inkFaint : mix(colours.ink, colours.mist, Math.round(100 * certainty) / 100);
      return {
        text: kind === "end" ? END_SIGN : text,
        colour: kind === "end" ? colours.flow : ink,
        underlined: isHeld,
        spaceBefore,
      };
    });
}

/** The largest type in which the longest frame of the run fits, so that all of its pictures are alike; and this frame, too. */
function typeFor(
  run: ShownRun,
  pieces: readonly Piece[],
  area: { readonly width: number; readonly height: number },
  least: number,
  measure: Measure,
): Type {
  const [longest] = reservedTexts(run, 0);
  const ofLongest = longest.split(" ").map((text) => ({ text, colour: "", spaceBefore: true }));
  const typeOf = (size: number): Type => ({ family: "serif", size, weight: 400 });
  let size = 0.086 * least;
  const smallest = Math.max(9, 0.018 * least);
  const fits = (wanted: readonly Piece[]) => {
    const count = breakLines(wanted, area.width, typeOf(size), measure).length;
    return count * LEADING * size <= area.height;
  };
  while (size > smallest && !(fits(ofLongest) && fits(pieces))) size *= 0.95;
  return typeOf(size);
}

/** The lines that there is room for; what does not fit in the smallest type ends in an ellipsis. */
function linesIn(
  area: { readonly width: number; readonly height: number },
  pieces: readonly Piece[],
  type: Type,
  measure: Measure,
): Span[][] {
  const all = breakLines(pieces, area.width, type, measure);
  const most = Math.max(1, Math.floor(area.height / (LEADING * type.size)));
  if (all.length <= most) return all;
  const [last = []] = all.slice(most - 1, most);
  return [...all.slice(0, most - 1), [...last.slice(0, -1), { text: " …", colour: last.at(-1)?.colour ?? "" }]];
}
