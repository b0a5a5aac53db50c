import type { Refusal } from "../../session/writing/settings";

/**
 * What the field of a number shows: what was typed, for as long as that is what the settings have, or refuse. Anything else
 * comes from elsewhere. `read` makes of what is typed what the settings are given.
 */
export function shownNumber(
  typed: string,
  read: (typed: string) => string,
  value: number,
  refusal: Refusal | undefined,
): string {
  if (refusal) return refusal.typed;
  // "1." is 1, but is on its way to 1.5.
  return typed.trim() !== "" && Number(read(typed)) === value ? typed : String(value);
}
