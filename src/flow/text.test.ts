import { expect, it } from "vitest";
import { recipeKey, recipeOf } from "./recipe";
import { RUN_SETTINGS } from "./testing/settings";
import { wellFormed } from "./text";

it.each([
  ["the cat \ud83d sat", "the cat \ufffd sat"],
  ["\ude00", "\ufffd"],
  ["\ude00\ud83d", "\ufffd\ufffd"],
  ["\ud83d\ud83d\ude00", "\ufffd😀"],
  ["a\udfff", "a\ufffd"],
  ["😀 👩‍👩‍👧 Grüße", "😀 👩‍👩‍👧 Grüße"],
  ["", ""],
])("writes %j as %j", (text, written) => {
  expect(wellFormed(text)).toBe(written);
  expect(() => encodeURIComponent(wellFormed(text))).not.toThrow();
  expect(new TextDecoder().decode(new TextEncoder().encode(text))).toBe(written);
});

it("makes a recipe's prompt one that can be written, so that a run is known by it", () => {
  const recipe = recipeOf({ settings: RUN_SETTINGS, prompt: { text: "a \ud83d" } });
  expect(recipe.prompt).toEqual({ text: "a \ufffd" });
  const fork = recipeOf({
    settings: RUN_SETTINGS,
    from: { run: { ...recipe, prompt: { text: "a \ud83d" } }, step: 1 },
  });
  expect(fork.from?.run.prompt).toEqual({ text: "a \ufffd" });
  expect(recipeKey({ settings: RUN_SETTINGS, prompt: { text: "a \ud83d" } })).toBe(recipeKey(recipe));
});
