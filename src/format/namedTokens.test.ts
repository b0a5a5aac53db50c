import { expect, it } from "vitest";
import type { Recipe } from "../flow/recipe";
import { SETTINGS } from "../player/testing/runs";
import { namedTokens } from "./namedTokens";

it("names what a run reads, what it was given, and what it and the runs before it hold", () => {
  const root: Recipe = { settings: SETTINGS, prompt: { ids: [9, 8] }, held: [{ position: 0, token: 7 }] };
  const fork: Recipe = { settings: SETTINGS, held: [{ position: 1, token: 6 }], from: { run: root, step: 2 } };
  const named = namedTokens(fork, [Int32Array.of(5, 4), [4, 9]]);
  expect(named.toSorted((a, b) => a - b)).toEqual([4, 5, 6, 7, 8, 9]);
  expect(namedTokens({ settings: SETTINGS, prompt: { text: "a" } }, [])).toEqual([]);
});
