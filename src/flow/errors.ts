/**
 * The base of every error this project raises on purpose. `message` says what happened, `action` what the person can
 * do about it; `code` is stable and survives the way out of the worker, where a class does not.
 */
export abstract class ElfError extends Error {
  abstract readonly code: string;
  readonly action: string;

  constructor(message: string, action: string, options?: ErrorOptions) {
    super(message, options);
    this.action = action;
  }

  /** The class's name, made from its code: `missing-file` is a MissingFileError. Minifiers rename the class itself. */
  override get name(): string {
    const words = this.code.split("-").map((word) => word.charAt(0).toUpperCase() + word.slice(1));
    return `${words.join("")}Error`;
  }
}

/** A sampler setting that no run can use. */
export class SettingsError extends ElfError {
  readonly code = "settings";
}

/** A prompt, or a held token, that the model or the run cannot use. */
export class ConditionError extends ElfError {
  readonly code = "condition";
}

/** A run or a load that was ended by the person, not by a fault. */
export class CancelledError extends ElfError {
  readonly code = "cancelled";

  constructor(message = "Cancelled.", action = "Start again when you like.") {
    super(message, action);
  }
}

/** A fault as somebody meets it: what happened, and what can be done about it; `action` is empty where nobody knows. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly action: string;
}

export interface NamedProblem extends Problem {
  readonly name: string;
}

/** Reads anything thrown as a problem. Named errors bring their own words, also from a worker, where they are made anew. */
export function problemOf(thrown: unknown): NamedProblem {
  if (thrown instanceof ElfError) {
    const { name, code, message, action } = thrown;
    return { name, code, message, action };
  }
  const { name, message } = thrown instanceof Error ? thrown : { name: "Error", message: String(thrown) };
  return {
    name,
    code: "unexpected",
    message: message || "Something went wrong that this page has no name for.",
    action: "",
  };
}

/** Whether it was ended by the person, or by a signal, and is no fault. */
export function isCancellation(thrown: unknown): boolean {
  return thrown instanceof CancelledError || (thrown instanceof DOMException && thrown.name === "AbortError");
}
