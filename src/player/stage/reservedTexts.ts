import { MOST_POSITIONS } from "../../flow/settings";
import { tokenTexts } from "../run/pieces";
import type { ShownRun } from "../run/run";
import { isVisible } from "./visible";

/** Characters that a token takes at most, on the average over a text, with the space before it. */
const CHARACTERS_PER_TOKEN = 5.2;

/** Ordinary words; what they say is never seen. */
const FILLER = "once upon a time there was a small text that wanted to be long and so it went on ";

const known = new WeakMap<ShownRun["trajectory"]["frames"][number], string>();

/**
 * Texts of which the taller takes as much room as any frame of the run will, so that nothing below the stage ever moves:
 * the longest there is, in either reading, and one for the frames still to come, of which only the length is known.
 */
export function reservedTexts(run: ShownRun | null, length: number): readonly [longest: string, ordinary: string] {
  let longest = "";
  for (const frame of run?.trajectory.frames ?? []) {
    const text = known.get(frame) ?? longer(shown(frame.holds.tokens, run), shown(frame.expects.tokens, run));
    known.set(frame, text);
    longest = longer(longest, text);
  }
  // A run that was kept before lengths had a bound may say any.
  const positions = Math.min(length, MOST_POSITIONS);
  return [longest, "".padEnd(Math.round(CHARACTERS_PER_TOKEN * positions), FILLER)];
}

function shown(tokens: Int32Array, run: ShownRun | null): string {
  return tokenTexts(tokens, run?.pieces ?? [], run?.eos ?? null)
    .filter(isVisible)
    .map(({ text, spaceBefore }) => (spaceBefore ? ` ${text}` : text))
    .join("");
}

function longer(a: string, b: string): string {
  return b.length > a.length ? b : a;
}
