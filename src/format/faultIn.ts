/** Where a file is wrong and how, from what zod says of it: short enough to be shown, whatever stands in the file. */

interface Fault {
  /** The names of the fields down to the wrong one, with dots between; "the top level" for the whole. */
  readonly field: string;
  readonly how: string;
}

/** Letters of a sentence that people still read. */
const MOST_LETTERS = 200;

/** The first fault that zod found, in what lies at `within` of the file. */
export function faultIn(
  error: { readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] },
  within: readonly PropertyKey[] = [],
): Fault {
  const [issue] = error.issues;
  return {
    field: shortened([...within, ...(issue?.path ?? [])].map(String).join(".") || "the top level"),
    how: shortened(issue?.message ?? "unreadable"),
  };
}

/** A name or a sentence from a file, cut where it does not end. */
export function shortened(text: string): string {
  return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}…` : text;
}
