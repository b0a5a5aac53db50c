/** Where every position's embedding is in two directions: noise at first, words at the end, and its path between them. */
import type { Reading } from "../../flow/network";
import { framesOf, PATH_UNIT, type Paths } from "../../flow/paths";
import { endOf } from "../../flow/tokens";
import { isRead, type ReadingName } from "../../flow/trajectory";
import { mix, PALETTES } from "../export/colours";
import type { Curve, Dot, Line } from "../export/drawing";
import { certaintyOf } from "../run/certainty";
import { tokenName } from "../run/pieces";
import { lastFrame, type ShownRun, stepsOf } from "../run/run";

import { LABEL, labelLine, STRONG_LABEL } from "./label";
import type { Lens, LensInput, LensTable } from "./lens";
import { placeLabels, type Wanted } from "./placeLabels";

/** Pixels. */
const HIGHEST = 440;
const MARGIN = 10;
/** How near a point has to be pressed. */
const REACH = 26;
const TICK_REACH = 9;
const RADIUS = 2.8;
const TICK_RADIUS = 1.9;
const LABEL_HEIGHT = 13;
/** Words that are tried, the surest first. */
const MOST_LABELS = 96;
/** Segments of all paths together: of a long text they are its last steps alone, so that it moves as smoothly. */
const MOST_SEGMENTS = 16_384;
const SHADES = 24;

export const paths: Lens = {
  id: "paths",
  moves: true,
  isThere: ({ run: { trajectory } }) =>
    trajectory.paths !== undefined && framesOf(trajectory.paths) >= trajectory.frames.length,

  draw: (input) => {
    const { run, reading, width, theme, measure, words, tokenWords } = input;
    const colours = PALETTES[theme];
    const height = Math.min(width, HIGHEST);
    const seen = seenOf(input);
    const points = screenPoints(seen, reading, width, height);
    const { index, position, rows, tokens, entropy } = seen;
    const at = (step: number, row: number) => points[row]?.[step] ?? [0, 0];

    const steps = Math.max(1, Math.floor(MOST_SEGMENTS / rows));
    const from = Math.max(0, index - steps);
    const curves: Curve[] = Array.from({ length: rows }, (_, row) => ({
      points: points[row]?.slice(from, index + 1) ?? [],
      colour: colours.line,
      width: 1,
    }));
    const shades = Array.from({ length: SHADES + 1 }, (_, i) => mix(colours.ink, colours.flow, i / SHADES));
    const colourOf = (row: number) => shades[Math.round(SHADES * certaintyOf(entropy[row] ?? 0))] as string;
    const dots: Dot[] = Array.from({ length: rows }, (_, row) => {
      const [x, y] = at(index, row);
      return { x, y, radius: RADIUS, colour: colourOf(row) };
    });

    const labels: (Wanted & { readonly text: string; readonly colour: string; readonly isStrong: boolean })[] = [];
    const label = (text: string, [x, y]: readonly [number, number], colour: string, isStrong = false) =>
      labels.push({ text, x, y, colour, isStrong, width: measure(text, isStrong ? STRONG_LABEL : LABEL) });
    const name = (token: number | undefined) => tokenName(token ?? 0, run.pieces, run.eos, tokenWords);

    if (position !== null) {
      const own = points[position] ?? [];
      curves.push({ points: own.slice(0, index + 1), colour: colours.flow, width: 2 });
      curves.push({ points: own.slice(index), colour: colours.flow, width: 1, isDashed: true });
      for (const [x, y] of own) dots.push({ x, y, radius: TICK_RADIUS, colour: colours.flow });
      const [x, y] = at(index, position);
      dots.push({ x, y, radius: RADIUS + 2, colour: colours.data });
      label(name(tokens[position]), [x, y], colours.ink, true);
      for (const { step, t, token } of wordsOnTheWay(run, reading, position)) {
        if (step !== index) label(`${name(token)} ${words.number(t)}`, at(step, position), colours.flow);
      }
    }
    const surest = Array.from({ length: rows }, (_, row) => row)
      .filter((row) => row !== position && certaintyOf(entropy[row] ?? 0) > 0)
      .sort((a, b) => (entropy[a] ?? 0) - (entropy[b] ?? 0))
      .slice(0, MOST_LABELS);
    for (const row of surest) label(name(tokens[row]), at(index, row), colourOf(row));

    const time = `t = ${words.number(seen.t)}`;
    const timeWidth = measure(time, STRONG_LABEL);
    const foot = height - MARGIN;
    const taken = [{ left: 0, right: MARGIN + timeWidth + 6, top: foot - LABEL_HEIGHT, bottom: height }];
    const room = { left: 2, top: 2, right: width - 2, bottom: height - 2 };
    const lines: Line[] = [
      labelLine({ text: time, colour: colours.inkSoft, x: () => MARGIN, y: foot, type: STRONG_LABEL }, measure),
    ];
    for (const [i, place] of placeLabels(labels, LABEL_HEIGHT, room, taken).entries()) {
      const { text, colour, isStrong } = labels[i] as (typeof labels)[number];
      if (!place) continue;
      const type = isStrong ? STRONG_LABEL : LABEL;
      lines.push(labelLine({ text, colour, x: () => place.x, y: place.y, type }, measure));
    }

    return {
      width,
      height,
      rectangles: [],
      curves,
      dots,
      lines,
      text: sentence(input, seen),
      at: (x, y) => {
        const now = Array.from({ length: rows }, (_, row) => at(index, row));
        const row = nearest(now, x, y, REACH);
        // The way of the token that is followed lies among other tokens: it is meant where it is nearer than they are.
        const way = position === null ? [] : (points[position] ?? []);
        const tick = nearest(way, x, y, Math.min(TICK_REACH, row === null ? REACH : farFrom(now[row], x, y)));
        if (tick !== null && position !== null) return { index: tick, position };
        return row === null ? null : { index, position: row };
      },
      // The picture itself shows where the person is.
      mark: () => [],
    };
  },

  table: (input) => (seenOf(input).position === null ? tableOfAll(input) : tableOfOne(input)),
};

/** What of a run is seen at the place where the person is. */
interface Seen {
  readonly paths: Paths;
  readonly index: number;
  readonly t: number;
  /** Positions up to the end of the text, its sign included. */
  readonly rows: number;
  /** The one that is followed. */
  readonly position: number | null;
  readonly tokens: Int32Array;
  readonly entropy: Float32Array;
}

const NO_PATHS: Paths = { basis: "run", length: 0, holds: new Int16Array(), expects: new Int16Array() };

function seenOf({ run, reading, place }: LensInput): Seen {
  const { frames, times, paths = NO_PATHS } = run.trajectory;
  const index = Math.min(place?.index ?? frames.length - 1, frames.length - 1);
  const last = lastFrame(run)?.[reading].tokens ?? new Int32Array();
  const rows = Math.max(1, Math.min(paths.length, endOf(last, run.eos) + 1));
  const wanted = place?.position ?? null;
  const position = wanted !== null && wanted < rows ? wanted : null;
  const { tokens, entropy } = frames[index]?.[reading] ?? { tokens: last, entropy: new Float32Array() };
  return { paths, index, t: times[index] ?? 0, rows, position, tokens, entropy };
}

type Point = readonly [x: number, y: number];

const known = new WeakMap<Int16Array, { readonly size: string; readonly points: readonly (readonly Point[])[] }>();

/** The points of every position, step by step, in pixels; reckoned once for a size, for time goes by. */
function screenPoints(
  { paths, rows }: Pick<Seen, "paths" | "rows">,
  reading: ReadingName,
  width: number,
  height: number,
) {
  const places = paths[reading];
  const size = `${width} ${height}`;
  const before = known.get(places);
  if (before?.size === size) return before.points;
  const { left, right, low, high } = extentOf(paths, rows);
  const scale = Math.min((width - 2 * MARGIN) / (right - left), (height - 2 * MARGIN) / (high - low));
  const x = (place: number) => width / 2 + scale * (place - (left + right) / 2);
  const y = (place: number) => height / 2 - scale * (place - (low + high) / 2);
  const { length } = paths;
  const points = Array.from({ length }, (_, position) =>
    Array.from({ length: framesOf(paths) }, (_, step): Point => {
      const at = 2 * (step * length + position);
      return [x(places[at] ?? 0), y(places[at + 1] ?? 0)];
    }),
  );
  known.set(places, { size, points });
  return points;
}

/**
 * Wherever the first `rows` positions ever are, in either reading: that fills the picture. Its directions are the model's, so
 * runs lie alike; in the room of all its words most of them would lie in a heap.
 */
function extentOf({ holds, expects, length }: Paths, rows: number) {
  const side = (axis: 0 | 1): readonly [number, number] => {
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const places of [holds, expects]) {
      for (let at = axis; at < places.length; at += 2) {
        if (at % (2 * length) >= 2 * rows) continue;
        const place = places[at] as number;
        least = Math.min(least, place);
        most = Math.max(most, place);
      }
    }
    // Where nothing moves there is no extent.
    return [least, Math.max(most, least + 1)];
  };
  const [left, right] = side(0);
  const [low, high] = side(1);
  return { left, right, low, high };
}

/** The words that a position read, each with the frame at which it came; frames that were not read say nothing. */
export function wordsOnTheWay(
  { trajectory: { frames } }: Pick<ShownRun, "trajectory">,
  reading: ReadingName,
  position: number,
): { readonly step: number; readonly t: number; readonly token: number }[] {
  const words: { step: number; t: number; token: number }[] = [];
  for (const [step, frame] of frames.entries()) {
    const token = frame[reading].tokens[position];
    if (token === undefined || !isRead(frames, step) || token === words.at(-1)?.token) continue;
    words.push({ step, t: frame.t, token });
  }
  return words;
}

function sentence({ run, reading, words, tokenWords }: LensInput, seen: Seen): string {
  const { index, t, rows, position, entropy, paths } = seen;
  const decided = Array.from({ length: rows }, (_, row) => certaintyOf(entropy[row] ?? 0)).filter((sure) => sure === 1);
  const all = words.paths.said(index, stepsOf(run), words.number(t), decided.length, rows);
  const own = paths.basis === "run" ? ` ${words.paths.ownBasis}` : "";
  if (position === null) return `${all}${own}`;
  const way = wordsOnTheWay(run, reading, position).map(({ token }) =>
    tokenName(token, run.pieces, run.eos, tokenWords),
  );
  return `${all} ${words.paths.followed(position + 1, way)}${own}`;
}

/** All positions at the frame shown. */
function tableOfAll(input: LensInput): LensTable {
  const { run, reading, words, tokenWords } = input;
  const { paths, index, rows, tokens, entropy } = seenOf(input);
  return {
    heads: [words.position, words.word, words.paths.entropy, "x", "y"],
    rows: Array.from({ length: rows }, (_, row) => [
      `${row + 1}`,
      tokenName(tokens[row] ?? 0, run.pieces, run.eos, tokenWords),
      words.number(entropy[row] ?? 0),
      ...placeAt(paths, reading, index, row).map((part) => words.number(part)),
    ]),
  };
}

/** The path of the position that is followed, with what was likely on it. */
function tableOfOne(input: LensInput): LensTable {
  const { run, reading, words } = input;
  const { paths, position } = seenOf(input);
  const row = position ?? 0;
  const { frames, times } = run.trajectory;
  return {
    heads: [words.step, words.time, words.word, words.paths.nearest, words.paths.entropy, "x", "y"],
    rows: frames.map((frame, step) => [
      `${step}`,
      words.number(times[step] ?? 0),
      ...(isRead(frames, step) ? readAt(frame[reading], row, input) : ["–", "–", "–"]),
      ...placeAt(paths, reading, step, row).map((part) => words.number(part)),
    ]),
  };
}

/** The word of a position, the tokens that stand nearest to it, and how open it is. */
function readAt(reading: Reading, row: number, { run, words, tokenWords }: LensInput): string[] {
  const k = reading.topTokens.length / reading.tokens.length;
  const name = (token: number) => tokenName(token, run.pieces, run.eos, tokenWords);
  const word = reading.tokens[row] ?? 0;
  const others = Array.from(reading.topTokens.slice(row * k, (row + 1) * k)).filter((token) => token !== word);
  return [name(word), others.slice(0, 3).map(name).join(" · ") || "–", words.number(reading.entropy[row] ?? 0)];
}

function placeAt(paths: Paths, reading: ReadingName, step: number, row: number): number[] {
  const at = 2 * (step * paths.length + row);
  return Array.from(paths[reading].slice(at, at + 2), (place) => place / PATH_UNIT);
}

function farFrom([px, py]: Point = [Number.POSITIVE_INFINITY, 0], x: number, y: number): number {
  return Math.hypot(px - x, py - y);
}

/** The point that is nearest, within so many pixels. */
function nearest(points: readonly Point[], x: number, y: number, within: number): number | null {
  let best: number | null = null;
  let least = within;
  for (const [i, point] of points.entries()) {
    const far = farFrom(point, x, y);
    if (far > least) continue;
    least = far;
    best = i;
  }
  return best;
}
