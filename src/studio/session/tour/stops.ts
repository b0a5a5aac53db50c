import type { ReadingName } from "../../../flow/trajectory";
import type { LensId } from "../../../player/lenses/words";
import type { Words } from "../../words/english";

/** A stop of the tour: what the page shows while it is told of. Whoever is led can take hold of it as ever. */
export interface Stop {
  /** As the chapter of the documentation is called that says more of it; by it the words say what is told. */
  readonly id: keyof Words["tour"]["stops"];
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
    share: 0,
    reading: "holds",
    lens: null,
    experiment: "seeds",
  },
  {
    id: "step",
    share: 0.03,
    reading: "expects",
    lens: null,
  },
  {
    id: "schedule",
    share: 0.4,
    reading: "holds",
    lens: "schedule",
    experiment: "schedules",
  },
  {
    id: "self-conditioning",
    share: 0.5,
    reading: "expects",
    lens: null,
    experiment: "self-conditioning",
  },
  {
    id: "guidance",
    share: 0.65,
    reading: "holds",
    lens: null,
    experiment: "guidance",
  },
  {
    id: "decoding",
    share: 1,
    reading: "holds",
    lens: "certainty",
  },
  {
    id: "few-steps",
    share: 1,
    reading: "holds",
    lens: "numbers",
    experiment: "steps",
  },
];
