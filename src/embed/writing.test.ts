import { describe, expect, it } from "vitest";
import type { Recipe } from "../flow/recipe";
import type { SamplerSettings } from "../flow/settings";
import { recipeToWrite } from "./writing";

const defaults: SamplerSettings = {
  steps: 32,
  method: "sde",
  gamma: 1,
  selfCondScale: 1,
  cfgScale: 3,
  schedule: "uniform",
  solver: "euler",
  rng: "original",
  seed: 0,
  length: 16,
};
const root: Recipe = { settings: { ...defaults, steps: 8, seed: 7 }, prompt: { text: "the recipe's" } };
const fork: Recipe = { settings: { ...defaults, steps: 8, gamma: 2, seed: 7 }, from: { run: root, step: 3 } };
const any = () => 99;

describe("what is written next (point 7)", () => {
  it("is the recipe as it is, once", () => {
    expect(recipeToWrite(defaults, fork, {}, true, any)).toBe(fork);
    const again = recipeToWrite(defaults, fork, {}, false, any);
    expect(again).toEqual({ settings: { ...fork.settings, seed: 99 }, prompt: root.prompt });
  });

  it("is by what was said of the element before its recipe, and by that before the model's defaults", () => {
    const own = recipeToWrite(defaults, root, { prompt: "the attribute's" }, true, any);
    expect(own.prompt).toEqual({ text: "the attribute's" });
    expect(own.settings).toEqual(root.settings);
    const said = recipeToWrite(defaults, root, { seed: 1, settings: { steps: 4, seed: 5 } }, true, any);
    expect(said.settings).toMatchObject({ steps: 4, seed: 1, length: 16 });
  });

  it("is by the defaults and a seed of its own without a recipe, and guided towards a prompt only", () => {
    expect(recipeToWrite(defaults, null, {}, true, any).settings).toEqual({ ...defaults, seed: 99, cfgScale: 1 });
    expect(recipeToWrite(defaults, null, { prompt: "x" }, true, any).settings.cfgScale).toBe(3);
  });

  it.each(["", " "])("is without a prompt where a blank one is said: %j", (prompt) => {
    const free = { settings: { ...defaults, seed: 99, cfgScale: 1 } };
    expect(recipeToWrite(defaults, null, { prompt }, true, any)).toEqual(free);
    expect(recipeToWrite(defaults, root, { prompt }, true, any)).toEqual({
      settings: { ...root.settings, cfgScale: 1 },
    });
  });
});
