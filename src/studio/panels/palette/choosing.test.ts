import { expect, it } from "vitest";
import { placeAfter } from "./choosing";

it.each([
  ["ArrowDown", 0, 3, 1],
  ["ArrowDown", 2, 3, 0],
  ["ArrowUp", 0, 3, 2],
  ["PageDown", 1, 30, 9],
  ["PageDown", 28, 30, 29],
  ["PageUp", 3, 30, 0],
  // Those belong to the field.
  ["Home", 1, 3, undefined],
  ["a", 1, 3, undefined],
  ["ArrowDown", 0, 0, undefined],
])("%s at %i of %i goes to %s", (key, place, count, next) => expect(placeAfter(key, place, count)).toBe(next));
