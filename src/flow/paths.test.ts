import { expect, it } from "vitest";
import { framesOf, joinPlaces, placesOf } from "./paths";

const basis = {
  mean: [0, 0],
  directions: [
    [1, 0],
    [0, 1],
  ],
  reach: 2,
} as const;

it("places the text behind its prompt, in thousandths, and expects of noise what it holds", () => {
  const z = Float32Array.of(9, 9, 1, -2, 0.5, 0, 7, 7);
  const prediction = Float32Array.of(0, 0, 2, 2, -2, -1, 0, 0);
  const text = { from: 1, length: 2 };
  const noise = placesOf({ step: 0, z, prediction }, basis, text);
  expect(noise.holds).toEqual(Int16Array.of(500, -1000, 250, 0));
  expect(noise.expects).toEqual(noise.holds);
  const later = placesOf({ step: 1, z, prediction }, basis, text);
  expect(later.expects).toEqual(Int16Array.of(1000, 1000, -1000, -500));

  const paths = joinPlaces([noise, later], 2, "run");
  expect(paths).toEqual({
    basis: "run",
    length: 2,
    holds: Int16Array.of(500, -1000, 250, 0, 500, -1000, 250, 0),
    expects: Int16Array.of(500, -1000, 250, 0, 1000, 1000, -1000, -500),
  });
  expect(framesOf(paths)).toBe(2);
});
