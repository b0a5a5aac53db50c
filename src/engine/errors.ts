import { ElfError } from "../flow/errors";

/** The worker ended without an answer. */
export class EngineCrashedError extends ElfError {
  readonly code = "engine-crashed";
}

/** A run was asked for before a model was loaded. */
export class NoModelError extends ElfError {
  readonly code = "no-model";
}
