import type { LogitNormal } from "../../flow/schedule";
import type { ReadingName } from "../../flow/trajectory";
import type { ThemeName } from "../export/colours";
import type { Drawing, Rectangle } from "../export/drawing";
import type { Measure } from "../export/typography";
import type { Phases } from "../run/phases";
import type { ShownRun } from "../run/run";
import type { Words } from "../words";
import type { Judged } from "./judged";
import type { LensId, LensWords } from "./words";

/** A lens is a picture of a run: what it shows of one, drawn the same on the page and in a file, and the same as a table. */
export interface Lens {
  readonly id: LensId;
  /** Whether its picture is another one at every frame, and so takes `LensInput.place`. */
  readonly moves?: boolean;
  /** Whether there is what it shows of the run; there is of every run unless this says otherwise. */
  isThere?(input: LensInput): boolean;
  /**
   * The same input gives the same drawing; where the person is in the run is laid over it (`LensDrawing.mark`), or, of a
   * lens that moves, part of the input.
   */
  draw(input: LensInput): LensDrawing;
  table(input: LensInput): LensTable;
}

export interface LensInput {
  readonly run: ShownRun;
  readonly reading: ReadingName;
  /** Pixels; the lens chooses its height. */
  readonly width: number;
  readonly theme: ThemeName;
  readonly measure: Measure;
  readonly words: LensWords;
  /** What tokens that are no words are called; English unless given. */
  readonly tokenWords?: Pick<Words, "tokens"> | undefined;
  /** Where the person is, for a lens that moves; the end, and no token, unless given. */
  readonly place?: { readonly index: number; readonly position: number | null };
  /** How the model's times are distributed, where that is known. */
  readonly logitNormal?: LogitNormal | undefined;
  /** When the words of many runs like this one settle, where they were counted. */
  readonly phases?: Phases | undefined;
  /** What a judge says of this run's text and of others', where one was asked. */
  readonly judged?: Judged | undefined;
}

/** A place in the run that is shown, or another run. */
export type LensPlace = RunPlace | { readonly run: string };

/** A place in a run. */
export interface RunPlace {
  readonly index: number;
  /** Of a token; none where the picture has steps only. */
  readonly position?: number;
}

export interface LensDrawing extends Omit<Drawing, "title" | "text" | "note"> {
  /** What it says, in a sentence, for those who do not see it. */
  readonly text: string;
  /** What lies at a point of the picture; null outside of it. */
  at(x: number, y: number): LensPlace | null;
  /** What shows where the person is; laid over the picture. */
  mark(index: number, position: number | null): readonly Rectangle[];
}

export interface LensTable {
  readonly heads: readonly string[];
  /** One for each step, or for each figure. */
  readonly rows: readonly (readonly string[])[];
}
