/** The run in figures, step by step. */
import { scaleLinear } from "d3-scale";
import { uncertaintyOf } from "../../flow/certainty";
import { frequencyEntropy } from "../../flow/frequencyEntropy";
import type { Reading } from "../../flow/network";
import { endOf } from "../../flow/tokens";
import { ownFrames, type ReadingName } from "../../flow/trajectory";
import { PALETTES } from "../export/colours";
import type { Curve, Line } from "../export/drawing";
import { certaintyOf } from "../run/certainty";
import { joinText } from "../run/pieces";
import { type ShownRun, stepsOf } from "../run/run";

import { settlingOf } from "../run/settling";
import { labelLine, STRONG_LABEL } from "./label";
import type { Lens } from "./lens";
import { stepAxis } from "./stepAxis";
import { adjacentRepetition, distinct, repeatedGrams } from "./textFigures";

/** A text at one step, in figures. */
export interface StepNumbers {
  /** Place of its frame. */
  readonly step: number;
  /** Of its tokens up to its end, in nats. */
  readonly meanEntropy: number;
  /** Share of its tokens that read as decided. */
  readonly decided: number;
  /** Share of the final text's words that have settled; null while that is not known. */
  readonly settled: number | null;
  readonly words: number;
  readonly distinct: readonly [number, number, number];
  readonly adjacent: number;
  readonly repeated: number;
  /** Of the words' frequencies, in nats. */
  readonly wordEntropy: number;
}

const HEIGHT = 150;
/** Steps that a picture goes through: a finger is wider than more of them. */
const MOST_POINTS = 96;
const TOP = 22;
/** Below this certainty nobody would call a token decided. */
const DECIDED = 0.9;

export const numbers: Lens = {
  id: "numbers",

  draw: (input) => {
    const { run, reading, width, theme, measure, words } = input;
    const colours = PALETTES[theme];
    const steps = stepsOf(run);
    const all = numbersOf(run, reading, MOST_POINTS);
    const last = run.trajectory.frames.length - 1;
    const x = scaleLinear([0, steps], [0, width]);
    const most = Math.max(0.1, ...all.map(({ meanEntropy }) => meanEntropy));
    const y = (share: number) => TOP + HEIGHT * (1 - share);
    const along = (value: (step: StepNumbers) => number | null): Curve["points"] =>
      all.flatMap((figures) => {
        const share = value(figures);
        return share === null ? [] : [[x(figures.step), y(share)] as const];
      });
    const shown: readonly [string, string, Curve["points"]][] = [
      [words.numbers.entropy, colours.flow, along(({ meanEntropy }) => meanEntropy / most)],
      [words.numbers.settled, colours.data, along(({ settled }) => settled)],
      [words.numbers.distinct, colours.inkFaint, along((step) => step.distinct[0])],
    ];
    const lines: Line[] = [];
    let at = 0;
    for (const [text, colour, points] of shown) {
      if (points.length === 0) continue;
      const left = at;
      const line = labelLine({ text, colour, x: () => left, y: 12, type: STRONG_LABEL }, measure);
      lines.push(line);
      at += line.width + 18;
    }
    const axis = stepAxis({ left: 0, width, y: TOP + HEIGHT, steps }, input);
    const height = TOP + HEIGHT + axis.height;
    return {
      width,
      height,
      rectangles: [0, 0.5, 1].map((share) => ({ x: 0, y: y(share), width, height: 1, colour: colours.line })),
      curves: shown
        .filter(([, , points]) => points.length > 0)
        .map(([, colour, points]) => ({ points, colour, width: 2 })),
      lines: [...lines, ...axis.lines],
      text: words.numbers.said(words.number(all.at(-1)?.meanEntropy ?? 0)),
      at: (px, py) => {
        const isIn = px >= 0 && px <= width && py >= 0 && py <= height;
        return isIn ? { index: Math.min(last, Math.max(0, Math.round(x.invert(px)))) } : null;
      },
      mark: (index) => [{ x: Math.min(width - 2, x(index)), y: TOP, width: 2, height: HEIGHT, colour: colours.ink }],
    };
  },

  table: ({ run, reading, words }) => {
    const { numbers: own, number, percent } = words;
    return {
      heads: [
        words.step,
        own.entropy,
        own.decided,
        own.settled,
        own.words,
        own.wordEntropy,
        ...[1, 2, 3].map(own.distinctOf),
        own.adjacent,
        own.repeated,
      ],
      rows: numbersOf(run, reading).map((step) => [
        `${step.step}`,
        number(step.meanEntropy),
        percent(step.decided),
        step.settled === null ? "–" : percent(step.settled),
        `${step.words}`,
        number(step.wordEntropy),
        ...step.distinct.map(percent),
        percent(step.adjacent),
        percent(step.repeated),
      ]),
    };
  },
};

/** What a reading says by itself. */
type ReadingNumbers = Omit<StepNumbers, "step" | "settled">;

/** By its reading, which stays the same while frames are read beside it. */
const known = new WeakMap<Reading, ReadingNumbers>();

/** The figures of each frame that has been read; of so many at most, evenly spread from the last on. */
export function numbersOf(
  run: ShownRun,
  reading: ReadingName,
  most: number = Number.POSITIVE_INFINITY,
): readonly StepNumbers[] {
  const settling = settlingOf(run, reading);
  const frames = ownFrames(run.trajectory.frames);
  const every = Math.max(1, Math.ceil(frames.length / most));
  return frames
    .filter((_, place) => (frames.length - 1 - place) % every === 0)
    .map((frame) => {
      const { step } = frame;
      const figures = known.get(frame[reading]) ?? reckon(frame[reading], run);
      known.set(frame[reading], figures);
      const settled = settling && settling.words > 0 ? (settling.wordsByFrame[step] ?? 0) / settling.words : null;
      return { step, settled, ...figures };
    });
}

function reckon(reading: Reading, { pieces, eos }: Pick<ShownRun, "pieces" | "eos">): ReadingNumbers {
  const { tokens, entropy } = reading;
  const own = entropy.subarray(0, endOf(tokens, eos));
  const text = joinText(tokens, pieces, eos);
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu) ?? [];
  return {
    // A text that has ended before it began is drawn as one without doubts.
    meanEntropy: own.length > 0 ? uncertaintyOf(reading, eos) : 0,
    decided: own.length > 0 ? own.filter((nats) => certaintyOf(nats) >= DECIDED).length / own.length : 0,
    words: words.length,
    distinct: [distinct(words, 1), distinct(words, 2), distinct(words, 3)],
    adjacent: adjacentRepetition(words),
    repeated: repeatedGrams(words),
    wordEntropy: frequencyEntropy(words),
  };
}
