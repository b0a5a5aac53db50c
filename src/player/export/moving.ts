/** What pictures that move have in common: which steps of a run they show, and for how long. */
import { isRead } from "../../flow/trajectory";
import type { ShownRun } from "../run/run";
import type { PictureWish } from "./drawing";

export interface MovingWish extends PictureWish {
  /** Steps in a second, 1 to 50; 8 unless given. */
  readonly fps?: number;
  /** Told after each frame. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface Moment {
  readonly step: number;
  /** How long it stands. */
  readonly milliseconds: number;
}

/** Milliseconds that the noise stands, and the text, which is to be read. */
const FIRST = 600;
const LAST = 4000;

/** The steps from noise to `index`. One that has not been read would show the words before it once more: those stand longer instead. */
export function momentsOf({ trajectory: { frames } }: ShownRun, index: number, fps: number): Moment[] {
  const steps = Array.from({ length: index + 1 }, (_, step) => step).filter(
    (step) => step === index || isRead(frames, step),
  );
  return steps.map((step, place) => {
    const until = ((steps[place + 1] ?? index) - step) * (1000 / fps);
    return { step, milliseconds: step === index ? LAST : step === 0 ? FIRST : until };
  });
}
