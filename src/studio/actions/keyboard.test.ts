import { describe, expect, it } from "vitest";
import { settled } from "../testing/fakeEngine";
import { testStudio } from "../testing/studio";
import { ACTIONS } from "./all";
import { actionFor, type KeyPress } from "./keyboard";

const press = (key: string, change: Partial<KeyPress> = {}): KeyPress => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  defaultPrevented: false,
  focus: "page",
  ...change,
});

async function openStudio() {
  const test = testStudio();
  await test.studio.open();
  return test;
}

describe("the keyboard", () => {
  it.each([
    ["g", "generate"],
    ["G", "generate"],
    [" ", "play-pause"],
    ["ArrowRight", "step-forward"],
    ["Home", "to-start"],
    ["]", "faster"],
    ["n", "new-seed"],
    ["l", "lock-seed"],
    ["t", "switch-theme"],
    ["r", "switch-reading"],
    ["?", "show-shortcuts"],
  ])("%s → %s", async (key, id) => {
    const { studio } = await openStudio();
    expect(actionFor(press(key), studio)?.id).toBe(id);
  });

  it("generates by Ctrl+Enter and ⌘+Enter, from a text field too", async () => {
    const { studio } = await openStudio();
    expect(actionFor(press("Enter", { ctrlKey: true, focus: "text" }), studio)?.id).toBe("generate");
    expect(actionFor(press("Enter", { metaKey: true }), studio)?.id).toBe("generate");
    expect(actionFor(press("Enter"), studio)).toBeUndefined();
  });

  it("leaves typing, pressing buttons, dialogs and the browser's own shortcuts alone", async () => {
    const { studio } = await openStudio();
    expect(actionFor(press("g", { focus: "text" }), studio)).toBeUndefined();
    expect(actionFor(press(" ", { focus: "pressable" }), studio)).toBeUndefined();
    expect(actionFor(press("g", { focus: "dialog" }), studio)).toBeUndefined();
    expect(actionFor(press("r", { ctrlKey: true }), studio)).toBeUndefined();
    expect(actionFor(press("ArrowLeft", { altKey: true }), studio)).toBeUndefined();
    expect(actionFor(press("ArrowRight", { defaultPrevented: true }), studio)).toBeUndefined();
  });

  it("forgets single letters when asked to, and keeps the rest", async () => {
    const { studio } = await openStudio();
    studio.preferences.getState().set({ letterKeys: false });
    expect(actionFor(press("g"), studio)).toBeUndefined();
    expect(actionFor(press(" "), studio)?.id).toBe("play-pause");
    expect(actionFor(press("Enter", { ctrlKey: true }), studio)?.id).toBe("generate");
  });

  it("cancels only what is under way", async () => {
    const { studio } = await openStudio();
    expect(actionFor(press("Escape"), studio)).toBeUndefined();
    void studio.generation.getState().start();
    await settled();
    expect(actionFor(press("Escape", { focus: "text" }), studio)?.id).toBe("cancel");
    expect(actionFor(press("g"), studio)).toBeUndefined();
  });

  it("does not generate with a number that was refused", async () => {
    const { studio } = await openStudio();
    studio.settings.getState().enter("steps", "0");
    expect(actionFor(press("g"), studio)).toBeUndefined();
  });
});

describe("actions", () => {
  it("have names and shortcuts of their own", () => {
    const keys = ACTIONS.flatMap(({ shortcuts }) => shortcuts.map(({ key, ctrl }) => `${ctrl ?? false} ${key}`));
    expect(new Set(keys).size).toBe(keys.length);
    expect(new Set(ACTIONS.map(({ id }) => id)).size).toBe(ACTIONS.length);
  });

  it("do what they say", async () => {
    const { studio } = await openStudio();
    const run = (id: string) => ACTIONS.find((action) => action.id === id)?.run(studio);
    run("to-end");
    expect(studio.playback.getState().index).toBe(3);
    run("step-back");
    expect(studio.playback.getState().index).toBe(2);
    run("switch-reading");
    expect(studio.preferences.getState().reading).toBe("expects");
    run("switch-axis");
    expect(studio.preferences.getState().axis).toBe("steps");
    run("switch-theme");
    expect(studio.preferences.getState().theme).toBe("light");
    const { seed } = studio.settings.getState().values;
    run("new-seed");
    expect(studio.settings.getState().values.seed).not.toBe(seed);
    run("lock-seed");
    expect(studio.settings.getState().seedLocked).toBe(true);
    run("show-shortcuts");
    expect(studio.view.getState().shortcutsOpen).toBe(true);
  });
});
