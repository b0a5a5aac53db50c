import { ElfError } from "../flow/errors";

/** A part of the script did not come. */
export class ScriptPartError extends ElfError {
  readonly code = "script-part";
}
