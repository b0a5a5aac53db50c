import { expect, it } from "vitest";
import { placeLabels } from "./placeLabels";

const ROOM = { left: 0, top: 0, right: 100, bottom: 100 };
const word = (x: number, y: number, width = 20) => ({ x, y, width });

it("stands to the right of its point, and to the left where there is no room", () => {
  const [right, left] = placeLabels([word(10, 50), word(95, 50)], 10, ROOM);
  expect(right).toMatchObject({ x: 16 });
  expect(left).toMatchObject({ x: 95 - 6 - 20 });
});

it("the first words stand, the next ones beside them, and one that finds no room has no place", () => {
  const same = Array.from({ length: 5 }, () => word(50, 50));
  const places = placeLabels(same, 10, ROOM);
  expect(places.slice(0, 4).every((place) => place !== null)).toBe(true);
  expect(new Set(places.map((place) => JSON.stringify(place))).size).toBe(5);
  expect(places[4]).toBeNull();
});

it("leaves out what is taken, and what is wider than the room", () => {
  expect(placeLabels([word(50, 50)], 10, ROOM, [ROOM])).toEqual([null]);
  expect(placeLabels([word(50, 50, 300)], 10, ROOM)).toEqual([null]);
});
