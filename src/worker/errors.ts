import { ElfError } from "../flow/errors";
import { SessionError } from "../runtime/graphs";
import { DeviceLostError, OutOfMemoryError, RuntimeError } from "../runtime/runtime";

/** The worker ended without an answer. */
export class EngineCrashedError extends ElfError {
  readonly code = "engine-crashed";
}

/** Named errors after which nothing in that worker can be relied on: neither its device nor its memory. */
const COSTLY = [DeviceLostError, EngineCrashedError, OutOfMemoryError, RuntimeError, SessionError];

/** Whether the engine has to be restored after this. What has no name may be anything, an aborted runtime too. */
export function costsModel(error: unknown): boolean {
  return !(error instanceof ElfError) || COSTLY.some((Costly) => error instanceof Costly);
}
