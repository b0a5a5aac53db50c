/** How open every token was at every step: rows are tokens, columns steps. */
import { endOf } from "../../flow/tokens";
import { ownFrames, type ReadingName } from "../../flow/trajectory";
import { mix, PALETTES } from "../export/colours";
import type { Curve, Line, Rectangle } from "../export/drawing";
import { cutToWidth } from "../export/lines";
import { certaintyOf } from "../run/certainty";
import { middleHalf, stepBySettled } from "../run/phases";
import { tokenName } from "../run/pieces";
import { lastFrame, type ShownRun, stepsOf } from "../run/run";

import { settlingOf } from "../run/settling";
import { LABEL, labelLine } from "./label";
import type { Lens, LensInput } from "./lens";
import { stepAxis } from "./stepAxis";

/** Pixels. What all rows take where there are many, and the height of one where there are few. */
const MAP_HEIGHT = 520;
const HIGHEST_ROW = 14;
const LOWEST_ROW = 1.5;
/** Between two words at the side. */
const LABEL_GAP = 11;
/** Below this width the words stand in no room of their own. */
const NARROW = 420;
const WORDS_WIDTH = 92;
/** Pixels of the band under the map, with its room. */
const BAND = 5;
const BAND_ROOM = 10;
/** Steps of ink: so many colours are told apart, and no more are mixed. */
const SHADES = 24;

export const certainty: Lens = {
  id: "certainty",

  draw: (input) => {
    const { run, reading, width, theme, words, phases } = input;
    const colours = PALETTES[theme];
    const { frames } = run.trajectory;
    const columns = stepsOf(run) + 1;
    const rows = rowsOf(run, reading);
    const left = width < NARROW ? 0 : WORDS_WIDTH;
    const row = Math.min(HIGHEST_ROW, MAP_HEIGHT / rows);
    // Positions of a long text share a cell that can be seen, by their mean; it has changed where one of them has.
    const inCell = Math.ceil(LOWEST_ROW / row);
    const column = (width - left) / columns;
    const height = row * rows;
    const shades = Array.from({ length: SHADES + 1 }, (_, i) => mix(colours.paper, colours.flow, i / SHADES));

    const rectangles: Rectangle[] = [{ x: left, y: 0, width: width - left, height, colour: colours.line }];
    // The ground shows where steps are still to come, or to be read.
    for (const frame of ownFrames(frames)) {
      const { step: index } = frame;
      const { entropy, tokens } = frame[reading];
      const before = frames[index - 1]?.[reading].tokens;
      for (let first = 0; first < rows; first += inCell) {
        const count = Math.min(inCell, rows - first);
        let sure = 0;
        let isChanged = false;
        for (let position = first; position < first + count; position++) {
          sure += certaintyOf(entropy[position] ?? 0) / count;
          isChanged ||= before !== undefined && before[position] !== tokens[position];
        }
        const [x, y] = [left + index * column, first * row];
        const cell = { x, y, height: count * row };
        rectangles.push({ ...cell, width: column, colour: shades[Math.round(SHADES * sure)] as string });
        if (isChanged) rectangles.push({ ...cell, width: Math.max(1.5, column / 4), colour: colours.data });
      }
    }

    const settling = settlingOf(run, reading);
    const hasWords = settling !== null && settling.words > 0;
    const half = settling ? stepBySettled(settling, 1 / 2) : -1;
    const phase = hasWords && middleHalf(settling);
    const usual = phases && phases.words > 0 && middleHalf(phases);
    // The room of the run's own band is kept from the first step on.
    const mapEnd = height + BAND_ROOM * (usual ? 2 : 1);
    const band = ([from, to]: readonly [number, number], place: number, colour: string) => {
      const y = height + place * BAND_ROOM + (BAND_ROOM - BAND) / 2;
      rectangles.push({ x: left, y, width: width - left, height: BAND, colour: colours.line });
      rectangles.push({ x: left + from * column, y, width: (to - from + 1) * column, height: BAND, colour });
    };
    // When most words are decided, between drafting and mending.
    if (phase) band(phase, 0, colours.data);
    if (usual) band(usual, 1, colours.flow);
    const curves: Curve[] = [];
    if (half > 0) {
      const x = left + half * column;
      curves.push({
        points: [
          [x, 0],
          [x, height],
        ],
        colour: colours.ink,
        width: 1,
        isDashed: true,
      });
    }
    const axis = stepAxis({ left, width: width - left, y: mapEnd, steps: stepsOf(run), isCells: true }, input);
    return {
      width,
      height: mapEnd + axis.height,
      rectangles,
      curves,
      lines: [...(left > 0 ? wordsBeside(input, rows, row) : []), ...axis.lines],
      text: [
        phase
          ? `${words.certainty.said(settling.words, half, Math.max(0, ...settling.at.subarray(0, rows)))} ${words.certainty.phase(...phase)}`
          : settling
            ? words.certainty.noWords
            : words.certainty.unsettled,
        ...(phases && usual ? [words.certainty.usual(phases.runs, ...usual)] : []),
      ].join(" "),
      at: (x, y) => {
        const [index, position] = [Math.floor((x - left) / column), Math.floor(y / row)];
        const isIn = index >= 0 && index < frames.length && position >= 0 && position < rows;
        return isIn ? { index, position } : null;
      },
      mark: (index, position) => [
        ...frameOf({ x: left + index * column, y: 0, width: column, height }, colours.ink),
        ...(position === null || position >= rows
          ? []
          : frameOf({ x: left, y: position * row, width: width - left, height: row }, colours.flow)),
      ],
    };
  },

  table: ({ run, reading, words, tokenWords }) => {
    const { position, word, certainty: own, number } = words;
    const settling = settlingOf(run, reading);
    const last = lastFrame(run)?.[reading];
    return {
      heads: [position, word, own.settledAt, own.changes, own.entropyAtEnd],
      rows: Array.from({ length: last ? rowsOf(run, reading) : 0 }, (_, at) => [
        `${at + 1}`,
        tokenName(last?.tokens[at] ?? 0, run.pieces, run.eos, tokenWords),
        settling ? `${settling.at[at]}` : "–",
        `${changesOf(run, reading, at)}`,
        number(last?.entropy[at] ?? 0),
      ]),
    };
  },
};

/** Tokens up to the end of the text, that sign included; at least one. */
function rowsOf(run: ShownRun, reading: ReadingName): number {
  const tokens = lastFrame(run)?.[reading].tokens ?? new Int32Array(1);
  return Math.max(1, Math.min(tokens.length, endOf(tokens, run.eos) + 1));
}

function changesOf({ trajectory: { frames } }: ShownRun, reading: ReadingName, position: number): number {
  let changes = 0;
  for (const [index, frame] of frames.entries()) {
    const before = frames[index - 1]?.[reading].tokens[position];
    if (before !== undefined && before !== frame[reading].tokens[position]) changes++;
  }
  return changes;
}

/** The last frame's words at the side, as many as stand clear of each other. */
function wordsBeside({ run, reading, theme, measure, tokenWords }: LensInput, rows: number, row: number): Line[] {
  const tokens = lastFrame(run)?.[reading].tokens ?? new Int32Array();
  const every = Math.max(1, Math.ceil(LABEL_GAP / row));
  const room = WORDS_WIDTH - 10;
  return Array.from(tokens.subarray(0, rows), (token, position) => ({ token, position }))
    .filter(({ position }) => position % every === 0)
    .map(({ token, position }) => {
      const text = cutToWidth(tokenName(token, run.pieces, run.eos, tokenWords), room, LABEL, measure);
      const y = position * row + row / 2 + LABEL.size * 0.36;
      return labelLine({ text, colour: PALETTES[theme].inkSoft, x: (width) => room - width, y }, measure);
    });
}

function frameOf({ x, y, width, height }: Omit<Rectangle, "colour">, colour: string): Rectangle[] {
  const thick = 1.5;
  return [
    { x, y, width, height: thick, colour },
    { x, y: y + height - thick, width, height: thick, colour },
    { x, y, width: thick, height, colour },
    { x: x + width - thick, y, width: thick, height, colour },
  ];
}
