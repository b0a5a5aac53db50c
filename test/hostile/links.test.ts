import { expect, it } from "vitest";
import type { Recipe } from "../../src/flow/recipe";
import { linkTo, recipeIn } from "../../src/format/link";
import { texts } from "./inputs";
import { CASES, withstands } from "./withstands";

const settings: Recipe["settings"] = {
  ...({ steps: 32, method: "sde", gamma: 3, selfCondScale: 3, cfgScale: 2, schedule: "logit_normal" } as const),
  ...({ solver: "euler", rng: "original", seed: 7, length: 96 } as const),
};
const story: Recipe = { settings, prompt: { text: "Lily, who was 3% braver & {bold}; she said: “a+b=c”?" } };
const LINKS = [
  { settings },
  story,
  {
    settings: {
      ...settings,
      gammaCurve: [
        [0, 2],
        [0.5, 1],
      ] as const,
    },
    prompt: { ids: [5, 6, 1] },
  },
  { settings, towards: { seed: 9, weight: 0.25 }, held: [{ position: 1, token: 8 }] },
  { settings, back: { ids: [4, 5, 6] } },
  { settings: { ...settings, gamma: 0 }, held: [{ position: 2, token: 3 }], from: { run: story, step: 12 } },
].map(linkTo);
const MANGLED = LINKS.map((link) => `https://x.example/#${encodeURIComponent(link.slice(1))}).`);

it("links are read, or are none; what was read is the same run when it is linked again", async () => {
  let recipes = 0;
  await withstands({
    inputs: texts(...LINKS, ...LINKS, ...MANGLED.map((link) => link.slice(link.indexOf("#")))),
    read: (link) => recipeIn(link),
    holds: (recipe) => {
      if (!recipe) return;
      recipes++;
      expect(recipeIn(linkTo(recipe))).toEqual(recipe);
    },
  });
  expect(recipes).toBeGreaterThan(CASES / 10);
});
