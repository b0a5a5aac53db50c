import type { LensId } from "../../../player/lenses/words";
import type { ReadingName } from "../../../player/run/run";

/** A stop of the tour: what is told, and what the page shows meanwhile. Whoever is led can take hold of it as ever. */
export interface Stop {
  /** As the chapter of the documentation is called that says more of it. */
  readonly id: string;
  readonly title: string;
  readonly text: string;
  /** Where in the run it is told of, as a share of its steps: 0 is the noise, 1 the text. */
  readonly share: number;
  readonly reading: ReadingName;
  readonly lens: LensId | null;
  /** The experiment that shows it, by its name. */
  readonly experiment?: string;
}

/** In the order of the chapters. */
export const STOPS: readonly Stop[] = [
  {
    id: "noise",
    title: "Noise",
    text: "Every place of the text has a vector of numbers from the start, and at t = 0 all of them are noise. Read as words, noise says nothing. The seed is the noise: the same seed writes the same text.",
    share: 0,
    reading: "holds",
    lens: null,
    experiment: "seeds",
  },
  {
    id: "step",
    title: "One step",
    text: "From the noise the network guesses the whole text at once: that is what it expects. The state then goes a little way towards the guess, all places together, and the network guesses anew. Step on with the arrow keys.",
    share: 0.03,
    reading: "expects",
    lens: null,
  },
  {
    id: "schedule",
    title: "Schedule",
    text: "The steps are not even. Most of them stand early, while the text is vague and words are chosen; once they are chosen a few long steps do.",
    share: 0.4,
    reading: "holds",
    lens: "schedule",
    experiment: "schedules",
  },
  {
    id: "self-conditioning",
    title: "Self-conditioning",
    text: "At every step the network is given its own last guess. How far it trusts it, w says: with much trust words are decided sooner, and said more often.",
    share: 0.5,
    reading: "expects",
    lens: null,
    experiment: "self-conditioning",
  },
  {
    id: "guidance",
    title: "Guidance",
    text: "A prompt stands before the text and never moves. ω says how far the text is drawn away from what would be written without it: more keeps closer to the prompt, and varies less.",
    share: 0.65,
    reading: "holds",
    lens: null,
    experiment: "guidance",
  },
  {
    id: "decoding",
    title: "Decoding",
    text: "At t = 1 the vectors are named as words. When each was decided the certainty lens shows: a row for every token, violet while it is open, paper once it is decided. Press any place of it.",
    share: 1,
    reading: "holds",
    lens: "certainty",
  },
  {
    id: "few-steps",
    title: "Few steps",
    text: "All words are written at once, so the number of steps is yours: 8 take an eighth of the time of 64, and decide many words together that do not always agree. Students are trained to do with few.",
    share: 1,
    reading: "holds",
    lens: "numbers",
    experiment: "steps",
  },
];
