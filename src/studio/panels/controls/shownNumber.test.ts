import { describe, expect, it } from "vitest";
import { createSettings } from "../../session/writing/settings";
import { ENGLISH } from "../../words/english";
import { GERMAN } from "../../words/german";
import { shownNumber } from "./shownNumber";

/** A field for w, which is 0.5 at least, that was just turned to: the first key replaces what stands in it. */
function turnedTo({ numberTyped } = GERMAN.settings) {
  const settings = createSettings(null, "test");
  const { enter } = settings.getState();
  let typed = "";
  const shown = () => {
    const { values, refusals } = settings.getState();
    return shownNumber(typed, numberTyped, values.selfCondScale, refusals.selfCondScale);
  };
  return {
    shown,
    enter: (number: string) => enter("selfCondScale", number),
    value: () => settings.getState().values.selfCondScale,
    type: (keys: string) => {
      for (const key of keys) {
        // As in `NumberInput`: what is not as it was typed is selected.
        typed = shown() === typed ? typed + key : key;
        enter("selfCondScale", numberTyped(typed), typed);
      }
    },
    leave: () => {
      typed = "";
    },
  };
}

describe("a number that is typed key by key", () => {
  it.each([
    ["0,7", 0.7, GERMAN],
    [",5", 0.5, GERMAN],
    ["1,25", 1.25, GERMAN],
    ["0.7", 0.7, GERMAN],
    ["0.7", 0.7, ENGLISH],
  ])("stands as it was typed until it is one: %s", (keys, number, { settings }) => {
    const { shown, value, type } = turnedTo(settings);
    for (const [i, key] of [...keys].entries()) {
      type(key);
      expect(shown()).toBe(keys.slice(0, i + 1));
    }
    expect(value()).toBe(number);
  });

  it("stands as it was typed when it is left, where it is none", () => {
    const { shown, type, leave } = turnedTo();
    type("0,");
    leave();
    expect(shown()).toBe("0,");
    type("0,7");
    leave();
    expect(shown()).toBe("0.7");
  });

  it("gives way to one from elsewhere, usable or not", () => {
    const { shown, enter, type } = turnedTo();
    type("0,");
    enter("0.1");
    expect(shown()).toBe("0.1");
    type("0,");
    enter("2");
    expect(shown()).toBe("2");
    type("0,");
    expect(shown()).toBe("0,");
  });
});
