import { ElfError } from "../flow/errors";

/** An element that was told neither of a recorded run nor of a model. */
export class NothingToShowError extends ElfError {
  readonly code = "nothing-to-show";
}

/** A recorded run that could not be fetched. */
export class UnreachableTraceError extends ElfError {
  readonly code = "unreachable-trace";
}

/** The end of a link that tells of no run. */
export class RecipeError extends ElfError {
  readonly code = "recipe";
}

/** A method that needs a run, or a model, of an element that has none. */
export class NoRunError extends ElfError {
  readonly code = "no-run";
}
