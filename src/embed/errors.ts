import { CancelledError, ElfError } from "../flow/errors";

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

/** A part of the script did not come. */
export class ScriptPartError extends ElfError {
  readonly code = "script-part";
}

/** What is said of anything thrown, in the box, in the event and in the console. */
export interface Problem {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  /** What can be done about it; empty where nobody knows. */
  readonly action: string;
}

export function problemOf(thrown: unknown): Problem {
  if (thrown instanceof ElfError) {
    const { name, code, message, action } = thrown;
    return { name, code, message, action };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { name: thrown instanceof Error ? thrown.name : "Error", code: "unknown", message, action: "" };
}

export function isCancellation(thrown: unknown): boolean {
  return thrown instanceof CancelledError || (thrown instanceof DOMException && thrown.name === "AbortError");
}
