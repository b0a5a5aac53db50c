import type { TokenText } from "../run/pieces";

/** Whether the stage shows a token. Padding is not text, and after the end the ends go on and on. */
export function isVisible({ kind, afterEnd, text }: TokenText): boolean {
  return kind === "end" ? !afterEnd : kind !== "blank" && text !== "";
}
