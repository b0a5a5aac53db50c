import { mirroredKey } from "../keys/mirroredKey";
import type { TokenText } from "../run/pieces";

/**
 * Position of the token that a key leads to from the one at `from`; undefined for keys that do not move. What is read from
 * right to left goes on to the left.
 */
export function nextToken(
  pressed: string,
  texts: readonly TokenText[],
  from: number | undefined,
  isRightToLeft = false,
): number | undefined {
  const key = isRightToLeft ? mirroredKey(pressed) : pressed;
  const at = texts.findIndex(({ position }) => position === from);
  switch (key) {
    case "ArrowRight":
    case "ArrowDown":
      return texts[Math.min(at + 1, texts.length - 1)]?.position;
    case "ArrowLeft":
    case "ArrowUp":
      return texts[Math.max(at - 1, 0)]?.position;
    case "Home":
      return texts[0]?.position;
    case "End":
      return texts.at(-1)?.position;
    default:
      return undefined;
  }
}
