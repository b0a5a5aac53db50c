import { ElfError } from "../flow/errors";

/** A load or run was asked for while another goes on. */
export class EngineBusyError extends ElfError {
  readonly code = "engine-busy";
}

/** The worker ended without an answer. */
export class EngineCrashedError extends ElfError {
  readonly code = "engine-crashed";
}

/** A run was asked for before a model was loaded. */
export class NoModelError extends ElfError {
  readonly code = "no-model";
}

/** Refuses a `deed` ("loading", "generating") because of another under way. */
export function busy(deed: string): EngineBusyError {
  return new EngineBusyError(
    `The engine is busy, so ${deed} has to wait.`,
    "Wait for the current run or load, or cancel it.",
  );
}
