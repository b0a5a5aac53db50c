import { expect, it } from "vitest";
import { type GammaCurve, isGammaCurve, MOST_KNOTS } from "../../../flow/gammaCurve";
import { movedKnot, withKnotAt, withOneMore, withoutKnot } from "./curveKnots";

const curve: GammaCurve = [
  [0, 1],
  [0.5, 3],
  [1, 0],
];

it("a knot moves between its neighbours and within the limits of γ", () => {
  expect(movedKnot(curve, 1, [0.4, 2.04])[1]).toEqual([0.4, 2]);
  expect(movedKnot(curve, 1, [2, 99])[1]).toEqual([0.99, 8]);
  expect(movedKnot(curve, 1, [-2, -99])[1]).toEqual([0.01, 0]);
  expect(movedKnot(curve, 0, [-1, 1])[0]).toEqual([0, 1]);
});

it("a knot comes where it is wanted, in its order, and not onto another", () => {
  expect(withKnotAt(curve, [0.25, 4])).toEqual([
    [0, 1],
    [0.25, 4],
    [0.5, 3],
    [1, 0],
  ]);
  expect(withKnotAt(curve, [0.501, 4])).toBe(curve);
});

it("knots come one by one onto the line until there are enough, and go until one is left", () => {
  let many = withOneMore(curve);
  expect(many).toEqual([
    [0, 1],
    [0.25, 2],
    [0.5, 3],
    [1, 0],
  ]);
  for (let i = 0; i < 20; i++) many = withOneMore(many);
  expect(many).toHaveLength(MOST_KNOTS);
  expect(isGammaCurve(many)).toBe(true);
  for (let i = 0; i < 20; i++) many = withoutKnot(many, 3);
  expect(many).toHaveLength(1);
});
