import type { ReadingName } from "../../flow/trajectory";
import { joinText } from "../run/pieces";
import { readingAt, type ShownRun, stepsOf } from "../run/run";
import { ENGLISH, type Words } from "../words";

/** What a screen reader says when the page has come to rest; `instead` of the text where it is not empty. */
export function announcementOf(
  run: ShownRun | null,
  index: number,
  reading: ReadingName,
  instead = "",
  { said }: Pick<Words, "said"> = ENGLISH,
): string {
  if (instead !== "") return instead;
  const shown = run ? readingAt(run, index, reading) : undefined;
  if (!run || !shown) return "";
  const { frames } = run.trajectory;
  if (run.status === "running") return said.writing;
  const isEnd = index === frames.length - 1 && run.status === "done";
  // The finished text as the tokenizer writes it: what single pieces make may have spaces before its punctuation.
  const written = isEnd && reading === "holds" ? run.text.trim() : "";
  const text = written || joinText(shown.tokens, run.pieces, run.eos) || said.nothing;
  if (isEnd) return said.finished(text);
  return said.step(frames[index]?.step ?? 0, stepsOf(run), text);
}
