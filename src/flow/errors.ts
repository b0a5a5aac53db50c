/**
 * The base of every error this project raises on purpose. `message` says what happened, `action` what the person can
 * do about it; `code` is stable and survives the way out of the worker, where a class does not.
 */
export abstract class ElfError extends Error {
  abstract readonly code: string;
  readonly action: string;

  constructor(message: string, action: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.action = action;
  }
}

/** A sampler setting that no run can use. */
export class SettingsError extends ElfError {
  readonly code = "settings";
}

/** A run or a load that was ended by the person, not by a fault. */
export class CancelledError extends ElfError {
  readonly code = "cancelled";

  constructor(message = "Cancelled.") {
    super(message, "Start again when you like.");
  }
}
