import { describe, expect, it } from "vitest";
import { SettingsError } from "./errors";
import { checkGammaCurve, type GammaCurve, gammaAt, gammaCurveIn, gammaCurveText } from "./gammaCurve";
import { recipeKey, recipeOf } from "./recipe";
import { RUN_SETTINGS } from "./testing/settings";

const gammaCurve: GammaCurve = [
  [0.25, 1],
  [0.5, 3],
  [1, 0],
];
const settings = { gamma: 1.5, gammaCurve };

describe("γ over t", () => {
  it("goes straight from knot to knot, and is level outside of them", () => {
    const ts = [0, 0.25, 0.375, 0.5, 0.75, 1];
    expect(ts.map((t) => gammaAt(settings, t))).toEqual([1, 1, 2, 3, 1.5, 0]);
    expect(gammaAt({ gamma: 1.5, gammaCurve: [[0.5, 2]] }, 0.1)).toBe(2);
    expect(gammaAt({ gamma: 1.5, gammaCurve: [[0.5, 2]] }, 0.9)).toBe(2);
    expect(gammaAt({ gamma: 1.5 }, 0.3)).toBe(1.5);
  });

  it("comes back from its text", () => {
    expect(gammaCurveText(gammaCurve)).toBe("0.25=1+0.5=3+1=0");
    expect(gammaCurveIn("0.25=1+0.5=3+1=0")).toEqual(gammaCurve);
    for (const none of ["", "none", "0.5", "0.5=1=2", "a=1", "0.5=1+0.5=2", "0.5=9", "2=1"]) {
      expect(gammaCurveIn(none)).toBeUndefined();
    }
  });

  it("of no knots, too many, or out of order is refused by name", () => {
    const many = Array.from({ length: 9 }, (_, i) => [i / 10, 1] as const);
    const wrong: GammaCurve[] = [
      [],
      many,
      [
        [0.5, 1],
        [0.4, 1],
      ],
      [[0, Number.NaN]],
      [[0, 8.1]],
      [[-0.1, 1]],
    ];
    for (const curve of wrong) expect(() => checkGammaCurve(curve)).toThrow(SettingsError);
    expect(() => checkGammaCurve(many.slice(1))).not.toThrow();
  });

  it.each<[unknown]>([
    ["0=1"],
    [{}],
    [5],
    [[5]],
    [[["0", "1"]]],
    // A hole, as a page that counts its knots before it has them leaves.
    [Object.assign([[0, 1]], { length: 2 })],
  ])("that is none is refused by name: %j", (curve) => {
    expect(() => checkGammaCurve(curve as GammaCurve)).toThrow(SettingsError);
    expect(() => checkGammaCurve(curve as GammaCurve)).toThrow(/^gammaCurve is /);
  });

  it("sets a recipe apart, and one that is said to be none does not", () => {
    const plain = { settings: RUN_SETTINGS };
    const none = { settings: { ...RUN_SETTINGS, gammaCurve: undefined } };
    expect(recipeOf(none)).toStrictEqual(plain);
    expect(recipeKey(none)).toBe(recipeKey(plain));
    expect(recipeKey({ settings: { ...RUN_SETTINGS, gammaCurve } })).not.toBe(recipeKey(plain));
  });
});
