import { describe, expect, it } from "vitest";
import { checkSettings, type SamplerSettings } from "../../../flow/settings";
import { RUN_SETTINGS } from "../../../flow/testing/settings";
import { ENGLISH } from "../../words/english";
import { betweenSeeds, EXPERIMENTS, experimentNamed, GRID_AXIS_NAMES, gridOf } from "./experiments";

const base = { settings: { ...RUN_SETTINGS, cfgScale: 1 } };
const prompted = { settings: { ...RUN_SETTINGS, cfgScale: 2 }, prompt: { text: "A cat" } };
const grids = GRID_AXIS_NAMES.flatMap((rows) =>
  GRID_AXIS_NAMES.filter((columns) => columns !== rows).map((columns) => gridOf(rows, columns)),
);
const all = [...EXPERIMENTS, ...grids];

/** The settings in which variants differ from one another. */
function varied(variants: readonly { recipe: { settings: SamplerSettings } }[]): string[] {
  const [first, ...others] = variants.map(({ recipe }) => recipe.settings);
  const names = Object.keys(first ?? {}) as (keyof SamplerSettings)[];
  return names.filter((name) => others.some((settings) => settings[name] !== first?.[name]));
}

describe.each(all.map((experiment) => [experiment.id, experiment] as const))("%s", (id, experiment) => {
  it("has the name by which an address finds it", () => {
    expect(experimentNamed(id)?.id).toBe(id);
    expect(encodeURIComponent(id)).toBe(id);
  });

  it("has runs that can be written, each with a label of its own", () => {
    for (const method of ["ode", "sde"] as const) {
      for (const solver of method === "ode" ? (["euler", "multistep"] as const) : (["euler"] as const)) {
        const variants = experiment.variants({ ...prompted, settings: { ...prompted.settings, method, solver } });
        for (const { recipe } of variants) {
          expect(() => checkSettings(recipe.settings, 64, true)).not.toThrow();
          expect(recipe.prompt).toEqual(prompted.prompt);
        }
        expect(new Set(variants.map(({ label }) => label(ENGLISH))).size).toBe(variants.length);
        expect(new Set(variants.map(({ recipe }) => JSON.stringify(recipe))).size).toBe(variants.length);
      }
    }
  });

  it("differs in nothing but what it is about, and begins at one noise if it says so", () => {
    const of = varied(experiment.variants(prompted));
    const about = experiment.heads ? id.split(".").slice(1) : [experiment.setting];
    // γ goes with the SDE.
    expect(of.filter((name) => name !== "gamma" || experiment.setting !== "method").sort()).toEqual([...about].sort());
    expect(experiment.isMarked).toBe(!of.includes("seed") && !of.includes("length"));
  });

  it("asks for a prompt where it varies the guidance by one", () => {
    const isGuided = varied(experiment.variants(prompted)).includes("cfgScale");
    expect(experiment.whyNot(prompted, ENGLISH)).toBeNull();
    expect(experiment.whyNot(base, ENGLISH) !== null).toBe(isGuided);
  });
});

describe("the way to the noise of another seed", () => {
  const way = betweenSeeds(9);

  it("has the name by which an address finds it", () => {
    expect(experimentNamed(way.id)?.title(ENGLISH)).toBe(way.title(ENGLISH));
  });

  it("begins at the run itself and differs in nothing but how far it goes", () => {
    const [first, ...others] = way.variants({ ...base, towards: { seed: 3, weight: 0.5 } }).map(({ recipe }) => recipe);
    expect(first).toEqual(base);
    expect(others).toEqual([0.25, 0.5, 0.75, 1].map((weight) => ({ ...base, towards: { seed: 9, weight } })));
    expect(way.heads?.columns).toHaveLength(5);
  });

  it("leads to another seed, and to one that there is", () => {
    expect(way.whyNot(base, ENGLISH)).toBeNull();
    expect(betweenSeeds(base.settings.seed).whyNot(base, ENGLISH)).toContain("Give another");
    for (const none of [Number.NaN, -1, 1.5, 2 ** 32]) expect(betweenSeeds(none).whyNot(base, ENGLISH)).not.toBeNull();
  });
});

describe("grids", () => {
  it("have their texts row by row", () => {
    const { heads, variants } = gridOf("steps", "selfCondScale");
    const settings = variants(base).map(({ recipe }) => recipe.settings);
    expect(heads?.rows.map((label) => label(ENGLISH))).toEqual(["4 steps", "8 steps", "16 steps", "32 steps"]);
    expect(heads?.columns.map((label) => label(ENGLISH))).toEqual(["w 1", "w 2", "w 3", "w 5"]);
    expect(settings.slice(0, 5).map(({ steps, selfCondScale }) => [steps, selfCondScale])).toEqual([
      [4, 1],
      [4, 2],
      [4, 3],
      [4, 5],
      [8, 1],
    ]);
  });

  it.each([
    "between",
    "between.-1",
    "between.x",
    "between.1.2",
    "grid",
    "grid.steps",
    "grid.steps.steps",
    "grid.steps.seed",
    "grid.toString.steps",
    "nothing",
    "",
    "__proto__",
  ])("an address that says %j has none", (id) => expect(experimentNamed(id)).toBeUndefined());

  it("of twice the same setting say why they cannot be", () => {
    expect(gridOf("steps", "steps").whyNot(base, ENGLISH)).toContain("two different settings");
  });
});

it("seeds are the next ones, from the last of all on from 0", () => {
  const seeds = (seed: number, id = "seeds") =>
    experimentNamed(id)
      ?.variants({ settings: { ...base.settings, seed } })
      .map(({ recipe }) => recipe.settings.seed);
  expect(seeds(7)).toEqual([7, 8, 9, 10, 11]);
  expect(seeds(2 ** 32 - 2)).toEqual([2 ** 32 - 2, 2 ** 32 - 1, 0, 1, 2]);
  expect(seeds(7, "best-of-four")).toEqual([7, 8, 9, 10]);
});

it("the best of four is one of four noises, so none is written from the noise of a text", () => {
  const four = experimentNamed("best-of-four");
  expect(four?.whyNot(base, ENGLISH)).toBeNull();
  expect(four?.whyNot({ ...base, back: { ids: [3] } }, ENGLISH)).toContain("noise of its seed");
});
