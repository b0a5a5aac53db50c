/** Where words stand beside their points, as many as find room; no DOM. */

/** A word that wants to stand beside its point. */
export interface Wanted {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

export interface Room {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Where a word begins, and its feet. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** Pixels between a point and its word. */
const GAP = 6;
/** Of the height of a line: above its feet. */
const ASCENT = 0.78;

/**
 * Gives words their places, the first ones first: to the right of the point, to its left, above or below it. One that would
 * stand on another, on what is `taken`, or out of the room, has none.
 */
export function placeLabels(
  wanted: readonly Wanted[],
  height: number,
  room: Room,
  taken: readonly Room[] = [],
): (Place | null)[] {
  const used = [...taken];
  return wanted.map(({ x, y, width }) => {
    const middle = y - height / 2;
    const corners = [
      [x + GAP, middle],
      [x - GAP - width, middle],
      [x - width / 2, y - GAP - height],
      [x - width / 2, y + GAP],
    ] as const;
    for (const [left, top] of corners) {
      const box = { left, top, right: left + width, bottom: top + height };
      if (!isWithin(box, room) || used.some((other) => overlaps(box, other))) continue;
      used.push(box);
      return { x: left, y: top + ASCENT * height };
    }
    return null;
  });
}

function isWithin(box: Room, room: Room): boolean {
  return box.left >= room.left && box.right <= room.right && box.top >= room.top && box.bottom <= room.bottom;
}

function overlaps(a: Room, b: Room): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
