import { joinText } from "./pieces";
import { lastFrame, type ShownRun } from "./run";

/** What a run has written: its text, or where it has none yet, what its last frame holds; "" before its first. */
export function textSoFar(run: ShownRun): string {
  const last = lastFrame(run);
  return run.text.trim() || (last ? joinText(last.holds.tokens, run.pieces, run.eos) : "");
}
