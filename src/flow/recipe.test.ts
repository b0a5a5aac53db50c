import { describe, expect, it } from "vitest";
import { ConditionError, SettingsError } from "./errors";
import {
  branchAt,
  checkRecipe,
  checkShape,
  LONGEST_CHAIN,
  pathOf,
  type Recipe,
  recipeKey,
  recipeOf,
  roomOf,
  rootOf,
} from "./recipe";
import { RUN_SETTINGS } from "./testing/settings";

const schedule = { pMean: -1.5, pStd: 0.8 };
const settings = { ...RUN_SETTINGS, schedule: "uniform" as const, steps: 8 };
const limits = { maxLength: 12, maxInputLength: 4, vocabularySize: 50, schedule };
const root: Recipe = { settings };
const fork: Recipe = { settings: { ...settings, steps: 10 }, from: { run: root, step: 3 } };
const twice: Recipe = { settings: { ...settings, steps: 4 }, from: { run: fork, step: 5 } };
const f32 = (...times: number[]) => times.map(Math.fround);

describe("the path of a recipe", () => {
  it("is its schedule where it comes from noise", () => {
    expect(pathOf(root, schedule)).toEqual({
      times: f32(...[0, 1, 2, 3, 4, 5, 6, 7, 8].map((k) => k / 8)),
      begin: 0,
      first: 0,
    });
  });

  it("goes on with the times of the fork that lie ahead, by its own numbers", () => {
    // 3/8 lies between 3/10 and 4/10; then of that path frame 5 is 5/10, where 2/4 stands.
    const ahead = f32(0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1);
    expect(pathOf(fork, schedule)).toEqual({ times: [...f32(0, 1 / 8, 2 / 8, 3 / 8), ...ahead], begin: 3, first: 3 });
    expect(pathOf(twice, schedule)).toEqual({
      times: f32(0, 1 / 8, 2 / 8, 3 / 8, 0.4, 0.5, 0.75, 1),
      begin: 5,
      first: 2,
    });
  });

  it("of a fork that changes nothing is its parent's", () => {
    for (const changes of [{}, { schedule: "logit_normal" as const }, { schedule: "quantile" as const }]) {
      const parent = { settings: { ...settings, ...changes } };
      const { times } = pathOf(parent, schedule);
      for (let step = 0; step < 8; step++) {
        expect(pathOf({ ...parent, from: { run: parent, step } }, schedule)).toEqual({
          times,
          begin: step,
          first: step,
        });
      }
    }
  });
});

describe("branchAt", () => {
  it("names the run that a frame is of", () => {
    expect(branchAt(twice, 6)).toEqual({ run: twice, step: 6 });
    expect(branchAt(twice, 5)).toEqual({ run: twice, step: 5 });
    expect(branchAt(twice, 4)).toEqual({ run: fork, step: 4 });
    expect(branchAt(twice, 2)).toEqual({ run: root, step: 2 });
  });
});

it("a fork at a frame before its parent's own first is one of the ancestor that the frame is of", () => {
  const early: Recipe = { settings, held: [{ position: 0, token: 9 }], from: { run: twice, step: 2 } };
  const plain = { ...early, from: { run: root, step: 2 } };
  expect(recipeOf(early)).toEqual(plain);
  expect(recipeKey(early)).toBe(recipeKey(plain));
  expect(recipeOf({ settings, from: { run: early, step: 4 } })).toEqual({ settings, from: { run: plain, step: 4 } });
  expect(recipeOf({ settings, from: { run: early, step: 1 } })).toEqual({ settings, from: { run: root, step: 1 } });
  expect(recipeOf(twice)).toEqual(twice);
});

it("the way towards another seed is part of a recipe, and no way is none", () => {
  const key = recipeKey(root);
  expect(recipeKey({ ...root, towards: { seed: 3, weight: 0 } })).toBe(key);
  expect(recipeOf({ ...root, towards: { seed: 3, weight: 0 } })).toEqual(root);
  const keys = [
    { seed: 3, weight: 0.5 },
    { seed: 4, weight: 0.5 },
    { seed: 3, weight: 0.25 },
  ].map((towards) => recipeKey({ ...root, towards }));
  expect(new Set([key, ...keys]).size).toBe(4);
  // By this key shelves of earlier versions know a run.
  expect(key.endsWith(",null,[],null]")).toBe(true);
});

it("the text whose noise it starts from is part of a recipe", () => {
  const keys = [[3, 4], [3, 5], [3]].map((ids) => recipeKey({ ...root, back: { ids } }));
  expect(new Set([recipeKey(root), ...keys]).size).toBe(4);
  expect(recipeOf({ ...root, back: { ids: [3, 4] } }).back).toEqual({ ids: [3, 4] });
});

it("a recipe is the same whatever stands beside it or in which order", () => {
  const { seed, ...others } = settings;
  const held = [
    { position: 1, token: 7 },
    { position: 0, token: 9 },
  ];
  const beside = { settings: { seed, ...others }, held: [...held].reverse(), times: [0, 1], from: undefined };
  expect(recipeKey(beside)).toBe(recipeKey({ settings, held }));
  expect(recipeOf(beside)).toEqual({ settings, held: beside.held });
  expect(recipeKey({ settings, held: held.slice(1) })).not.toBe(recipeKey({ settings, held }));
  expect(recipeKey(fork)).not.toBe(recipeKey({ ...fork, from: { run: root, step: 4 } }));
  expect(recipeKey({ settings, prompt: { text: "5" } })).not.toBe(recipeKey({ settings, prompt: { ids: [5] } }));
  expect(rootOf(twice)).toBe(root);
});

it("a prompt that says nothing is none, in a fork's ancestors too", () => {
  for (const prompt of [{ text: "" }, { text: " \n" }, { ids: [] }]) {
    expect(recipeOf({ settings, prompt })).toEqual({ settings });
    expect(recipeKey({ settings, prompt })).toBe(recipeKey({ settings }));
    const from = { run: { settings, prompt }, step: 1 };
    expect(recipeOf({ settings, from })).toEqual({ settings, from: { run: { settings }, step: 1 } });
    expect(recipeKey({ settings, from })).toBe(recipeKey({ settings, from: { run: { settings }, step: 1 } }));
  }
});

it("behind a prompt there is room for as much as the model was taught, without one for all", () => {
  const rooms = [0, 1, 4].map((source) => roomOf(12, source, limits));
  expect(rooms).toEqual([12, 8, 8]);
  expect([0, 1, 4].map((source) => roomOf(6, source, limits))).toEqual([6, 5, 2]);
});

it("the key of a long chain stays as long as the chain", () => {
  let chain = root;
  for (let i = 0; i < 40; i++) chain = { settings, from: { run: chain, step: 1 } };
  expect(recipeKey(chain).length).toBeLessThan(41 * 400);
});

describe("checkRecipe", () => {
  it("takes what can be run", () => {
    checkRecipe(twice, 0, limits);
    checkRecipe({ settings, prompt: { text: "a" }, held: [{ position: 1, token: 49 }] }, 3, limits);
  });

  it.each<[string, Recipe, number, typeof SettingsError | typeof ConditionError]>([
    [
      "steps of an ancestor",
      { settings, from: { run: { settings: { ...settings, steps: 0 } }, step: 0 } },
      0,
      SettingsError,
    ],
    ["another length", { settings: { ...settings, length: 6 }, from: { run: root, step: 1 } }, 0, SettingsError],
    ["the last frame", { settings, from: { run: root, step: 8 } }, 0, SettingsError],
    ["a frame before noise", { settings, from: { run: root, step: -1 } }, 0, SettingsError],
    ["half a frame", { settings, from: { run: root, step: 0.5 } }, 0, SettingsError],
    ["a prompt of its own", { ...fork, prompt: { text: "a" } }, 2, ConditionError],
    ["a place behind the text", { settings, held: [{ position: 2, token: 1 }] }, 3, ConditionError],
    ["a place before it", { settings, held: [{ position: -1, token: 1 }] }, 0, ConditionError],
    ["an unknown token", { settings, held: [{ position: 0, token: 50 }] }, 0, ConditionError],
    ["a place held twice", { settings, held: [1, 2].map((token) => ({ position: 0, token })) }, 0, ConditionError],
  ])("refuses %s", (_, recipe, source, error) => {
    expect(() => checkRecipe(recipe, source, limits)).toThrow(error);
  });

  it("refuses more forks than anybody makes", () => {
    let chain = root;
    for (let i = 1; i < LONGEST_CHAIN; i++) chain = { settings, from: { run: chain, step: 1 } };
    checkShape(chain);
    expect(() => checkShape({ settings, from: { run: chain, step: 1 } })).toThrow("goes back over more than 63 others");
  });
});
