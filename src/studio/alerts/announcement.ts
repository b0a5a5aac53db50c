import { joinText } from "../run/pieces";
import { type ReadingName, type Run, readingAt, stepsOf } from "../run/run";
import type { GenerationStore } from "../stores/generation";

/** What a screen reader says when the page has come to rest. */
export function announcementOf(
  run: Run | undefined,
  index: number,
  reading: ReadingName,
  phase: GenerationStore["phase"],
): string {
  if (phase === "loading") return "Loading the model.";
  const shown = run && readingAt(run, index, reading);
  if (!shown) return "";
  const { frames } = run.trajectory;
  if (run.status === "running") return "Writing.";
  const isEnd = index === frames.length - 1 && run.status === "done";
  // The finished text as the tokenizer writes it: what single pieces make may have spaces before its punctuation.
  const written = isEnd && reading === "holds" ? run.text.trim() : "";
  const text = written || joinText(shown.tokens, run.pieces, run.eos) || "no text";
  if (isEnd) return `Finished: ${text}`;
  return `Step ${frames[index]?.step ?? 0} of ${stepsOf(run)}: ${text}`;
}
