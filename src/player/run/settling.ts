import { endOf } from "../../flow/tokens";
import type { Frame, ReadingName } from "../../flow/trajectory";
import { isComplete, type ShownRun } from "./run";

/**
 * For each position the first frame from which its token never changes again. Means something for a complete run only:
 * what has not changed so far may still change.
 */
export function settledAt(frames: readonly Frame[], reading: ReadingName): Int32Array {
  const last = frames.at(-1)?.[reading].tokens ?? new Int32Array();
  return last.map((token, position) => {
    let first = frames.length - 1;
    while (first > 0 && frames[first - 1]?.[reading].tokens[position] === token) first--;
    return first;
  });
}

/** What a complete run says about when its text was decided. */
export interface Settling {
  /** As `settledAt`. */
  readonly at: Int32Array;
  /** Number of the text's tokens that settled at each frame, 0 … N. */
  readonly perFrame: readonly number[];
  /** Number of words that have settled by each frame; a word has settled when all its tokens have. */
  readonly wordsByFrame: readonly number[];
  /** Number of words in the final text. */
  readonly words: number;
}

const known = new WeakMap<ShownRun, Map<ReadingName, Settling>>();

/** Reckons the settling of a complete run once, null for any other. Nothing after the end of its text counts. */
export function settlingOf(run: ShownRun, reading: ReadingName): Settling | null {
  if (!isComplete(run)) return null;
  const ofRun = known.get(run) ?? new Map<ReadingName, Settling>();
  known.set(run, ofRun);
  const settling = ofRun.get(reading) ?? reckon(run, reading);
  ofRun.set(reading, settling);
  return settling;
}

function reckon(run: ShownRun, reading: ReadingName): Settling {
  const { frames } = run.trajectory;
  const at = settledAt(frames, reading);
  const tokens = frames.at(-1)?.[reading].tokens ?? new Int32Array();
  const end = endOf(tokens, run.eos);
  const perFrame = frames.map(() => 0);
  for (const frame of at.subarray(0, end)) perFrame[frame] = (perFrame[frame] ?? 0) + 1;
  const wordFrames = wordStarts(tokens.subarray(0, end), run.pieces).map((from, i, starts) =>
    Math.max(...at.subarray(from, starts[i + 1] ?? end)),
  );
  const wordsByFrame = frames.map((_, index) => wordFrames.filter((frame) => frame <= index).length);
  return { at, perFrame, wordsByFrame, words: wordFrames.length };
}

/** Positions at which a word begins: the first, and each whose piece has a space before. */
export function wordStarts(tokens: Int32Array, pieces: readonly string[]): number[] {
  return Array.from(tokens.keys()).filter(
    (position) => position === 0 || (pieces[tokens[position] as number] ?? "").startsWith("▁"),
  );
}

/** Positions whose token is another than in the frame before; none at the first. */
export function changedPositions(frames: readonly Frame[], index: number, reading: ReadingName): ReadonlySet<number> {
  const now = frames[index]?.[reading].tokens;
  const before = frames[index - 1]?.[reading].tokens;
  if (!now || !before) return new Set();
  return new Set(Array.from(now.keys()).filter((position) => now[position] !== before[position]));
}

/** The frame, `index` at the latest, in which the token of `position` last changed; null if it never has. */
export function lastChange(
  frames: readonly Frame[],
  index: number,
  reading: ReadingName,
  position: number,
): Frame | null {
  for (let i = index; i > 0; i--) {
    const frame = frames[i];
    const before = frames[i - 1];
    if (frame && before && frame[reading].tokens[position] !== before[reading].tokens[position]) return frame;
  }
  return null;
}
