/** A fault as the person meets it: what happened, and what they can do about it. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly action: string;
}

/** Reads any thrown thing as a problem. The project's named errors bring their own words. */
export function problemOf(thrown: unknown): Problem {
  if (isNamed(thrown)) return { code: thrown.code, message: thrown.message, action: thrown.action };
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return {
    code: "unexpected",
    message: message || "Something went wrong that this page has no name for.",
    action: "Try again. If it happens every time, reload the page.",
  };
}

export function isCancellation(thrown: unknown): boolean {
  return isNamed(thrown) && thrown.code === "cancelled";
}

// Told by its fields, not its class: errors from the worker are made anew on this side.
function isNamed(thrown: unknown): thrown is Problem {
  const fields = thrown as Partial<Problem> | null;
  return (
    typeof fields === "object" &&
    typeof fields?.code === "string" &&
    typeof fields.message === "string" &&
    typeof fields.action === "string"
  );
}
