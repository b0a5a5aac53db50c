/** Lines that a key for pages goes by. */
const PAGE = 8;

/** The place in a list of `count` that a key goes to from `place`, around at its ends; undefined for other keys. */
export function placeAfter(key: string, place: number, count: number): number | undefined {
  if (count === 0) return undefined;
  switch (key) {
    case "ArrowDown":
      return (place + 1) % count;
    case "ArrowUp":
      return (place + count - 1) % count;
    case "PageDown":
      return Math.min(count - 1, place + PAGE);
    case "PageUp":
      return Math.max(0, place - PAGE);
    default:
      return undefined;
  }
}
