/** What an element is about: how far it shows something, and what it does for its next text. */
import type { NamedProblem } from "../flow/errors";
import type { LoadProgress } from "../run/api";
import type { Options } from "./attributes";
import type { LaterPart } from "./laterPart";

/** What an element does for its next text, from press to the last frame. */
export type Work =
  | { readonly kind: "none" }
  | { readonly kind: "waiting"; readonly ahead: number }
  | { readonly kind: "loading"; readonly progress: LoadProgress | null }
  | { readonly kind: "writing" };

export interface FigureState {
  /** `text`: what the page has of it, until it is nearly in sight; `poster`: until somebody asks for more. */
  readonly stage: "text" | "poster" | "loading" | "shown";
  readonly problem: NamedProblem | null;
  readonly work: Work;
  readonly options: Options;
  /** The model's title, as a person reads it; empty while nobody knows. */
  readonly title: string;
  /** Whether the model that wrote last outlives the page; null while none has written. */
  readonly isLasting: boolean | null;
  /** Whether it is asked where the tokens of the run shown were. */
  readonly isFindingPaths: boolean;
  /** What the reader has typed over the prompt of `options`; null while that is untouched, and empty where it was cleared. */
  readonly typed: string | null;
  /** The view of lenses, once it has been fetched. */
  readonly LensView: LaterPart["LensView"] | null;
}
