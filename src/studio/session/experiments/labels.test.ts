import { expect, it } from "vitest";
import type { Recipe } from "../../../flow/recipe";
import { describeSettings } from "../../../player/run/settingsInWords";
import { SETTINGS } from "../../testing/runs";
import { ENGLISH } from "../../words/english";
import { labelsOf } from "./labels";

const labels = (...recipes: readonly Recipe[]) =>
  labelsOf(
    recipes.map((recipe) => ({ recipe, label: () => describeSettings(recipe) })),
    ENGLISH,
  );

const plain = { settings: SETTINGS };
const SAME = describeSettings(plain);

it("runs of the same settings are told apart by what else they were written by", () => {
  const held = { ...plain, held: [{ position: 1, token: 4 }] };
  const prompted = { ...plain, prompt: { text: "Ein Mann sitzt auf einer Bank im Park." } };
  const fork = { ...plain, from: { run: prompted, step: 2 } };
  const other = { settings: { ...SETTINGS, seed: 99 }, held: held.held };
  expect(labels(plain, held, prompted, fork, other)).toEqual([
    SAME,
    `${SAME} · 1 token held`,
    `${SAME} · “Ein Mann sitzt auf einer Bank…”`,
    `${SAME} · “Ein Mann sitzt auf einer Bank…” · from step 2 of another run`,
    describeSettings(other),
  ]);
});

it("runs of which even that says the same are numbered", () => {
  const holding = (token: number) => ({ ...plain, held: [{ position: 1, token }] });
  expect(labels(holding(4), plain, holding(5), holding(6))).toEqual([
    `${SAME} · 1 token held`,
    SAME,
    `${SAME} · 1 token held (2)`,
    `${SAME} · 1 token held (3)`,
  ]);
});
