import { describe, expect, it, vi } from "vitest";
import { keepOwnKeys } from "./ownKeys";

const figure = {};

/** A key as the element's shadow root is told of it; returns whether it ends there. */
function tell(type: string, place: "input" | "button" | "div" | "slotted", press: object): boolean {
  const stopPropagation = vi.fn();
  const target = { matches: (name: string) => name === place, getRootNode: () => (place === "slotted" ? {} : figure) };
  const plain = { code: "", ctrlKey: false, metaKey: false, altKey: false, getModifierState: () => false };
  keepOwnKeys({ ...plain, ...press, type, target, currentTarget: figure, stopPropagation } as unknown as Event);
  return stopPropagation.mock.calls.length > 0;
}

const AltGraph = { getModifierState: (name: string) => name === "AltGraph" };

describe("keys that end at the element (point 11)", () => {
  it.each([
    ["a letter", { key: "n" }],
    ["one of another plane", { key: "𝒏" }],
    ["one by AltGr, as Windows tells it", { key: "@", ctrlKey: true, altKey: true, ...AltGraph }],
    ["one by AltGr", { key: "ł", ...AltGraph }],
    ["one by Option", { key: "å", altKey: true }],
    ["what takes away", { key: "Backspace" }],
    ["a word of it", { key: "Delete", ctrlKey: true }],
    ["what goes along", { key: "ArrowLeft" }],
    ["to its end", { key: "End" }],
    ["what writes", { key: "Enter" }],
  ])("in the prompt are %s", (_, press) => {
    expect(tell("keydown", "input", press)).toBe(true);
  });

  it.each([
    ["Escape", { key: "Escape" }],
    ["Tab", { key: "Tab" }],
    ["a key of functions", { key: "F5" }],
    ["a page down", { key: "PageDown" }],
    ["a shortcut", { key: "k", ctrlKey: true }],
    ["a shortcut of a Mac", { key: "k", metaKey: true }],
    ["a shortcut by Alt", { key: "k", altKey: true }],
    ["what fills the line in", {}],
  ])("and not %s", (_, press) => {
    expect(tell("keydown", "input", press)).toBe(false);
  });

  it("are those that press a button and those that the player has used, and no others", () => {
    expect(tell("keydown", "button", { key: " " })).toBe(true);
    expect(tell("keydown", "button", { key: "n" })).toBe(false);
    expect(tell("keydown", "div", { key: "ArrowLeft", defaultPrevented: true })).toBe(true);
    expect(tell("keydown", "div", { key: "ArrowLeft", defaultPrevented: false })).toBe(false);
  });

  it("end there wholly, also where the keyboard is led on while they are down", () => {
    const used = { key: "ArrowLeft", code: "ArrowLeft" };
    expect(tell("keydown", "div", { ...used, defaultPrevented: true })).toBe(true);
    expect(tell("keyup", "div", used)).toBe(true);
    expect(tell("keyup", "div", used)).toBe(false);
    expect(tell("keydown", "input", { key: "N", code: "KeyN" })).toBe(true);
    expect(tell("keypress", "input", { key: "N", code: "KeyN" })).toBe(true);
    expect(tell("keyup", "button", { key: "n", code: "KeyN" })).toBe(true);
    expect(tell("keydown", "input", { key: "n", code: "KeyN", ctrlKey: true })).toBe(false);
    expect(tell("keyup", "input", { key: "n", code: "KeyN" })).toBe(false);
  });

  it("are none of what the page has put into its slots", () => {
    expect(tell("keydown", "slotted", { key: "Enter", defaultPrevented: true })).toBe(false);
  });
});
