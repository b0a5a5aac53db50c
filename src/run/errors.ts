import { ElfError } from "../flow/errors";

/** A run was asked for before a model was loaded. */
export class NoModelError extends ElfError {
  readonly code = "no-model";
}
