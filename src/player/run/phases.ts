import type { ReadingName } from "../../flow/trajectory";
import type { Settling } from "./settling";

/** When the words of many runs settle, that differ in their noise alone: their figures added up. */
export interface Phases extends Pick<Settling, "wordsByFrame" | "words"> {
  readonly runs: number;
}

/** Of both readings. */
export type PhasesByReading = Readonly<Record<ReadingName, Phases>>;

/** With one run more, which must have as many frames. */
export function withRun(phases: Phases | undefined, { wordsByFrame, words }: Settling): Phases {
  if (!phases) return { wordsByFrame, words, runs: 1 };
  return {
    wordsByFrame: phases.wordsByFrame.map((count, index) => count + (wordsByFrame[index] ?? 0)),
    words: phases.words + words,
    runs: phases.runs + 1,
  };
}

/** The first step by which so large a share of the words has settled; −1 where there are none. */
export function stepBySettled(
  { wordsByFrame, words }: Pick<Settling, "wordsByFrame" | "words">,
  share: number,
): number {
  return words === 0 ? -1 : wordsByFrame.findIndex((count) => count >= share * words);
}

/** The steps between which the middle half of the words settles, both included. */
export function middleHalf(settling: Pick<Settling, "wordsByFrame" | "words">): readonly [from: number, to: number] {
  return [stepBySettled(settling, 1 / 4), stepBySettled(settling, 3 / 4)];
}
