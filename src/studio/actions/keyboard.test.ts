import { describe, expect, it } from "vitest";
import { recipeIn } from "../../format/link";
import { NotCopiedError } from "../session/addressBar";
import { MANIFEST, settled } from "../testing/fakeEngine";
import { PIECES, runOf } from "../testing/runs";
import { testStudio } from "../testing/studio";
import { type Action, perform } from "./action";
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
    ["f", "fork"],
    ["u", "adopt-run"],
    ["s", "copy-link"],
  ])("%s → %s", async (key, id) => {
    const { studio } = await openStudio();
    expect(actionFor(press(key), studio)?.id).toBe(id);
  });

  /** By layout: what is typed, where, and what that is meant to do. */
  it.each<[string, string, string, string | undefined, Partial<KeyPress>?]>([
    ["Russian", "п", "KeyG", "generate"],
    ["Russian, capital", "П", "KeyG", "generate", { shiftKey: true }],
    ["Russian", "а", "KeyF", "fork"],
    ["Russian", "ы", "KeyS", "copy-link"],
    ["Russian", "ъ", "BracketRight", "faster"],
    ["Russian", "?", "Digit7", "show-shortcuts", { shiftKey: true }],
    ["Ukrainian", "і", "KeyS", "copy-link"],
    ["Bulgarian, phonetic", "г", "KeyG", "generate"],
    ["Serbian", "г", "KeyG", "generate"],
    ["Greek", "γ", "KeyG", "generate"],
    ["Greek", "ε", "KeyE", "switch-axis"],
    ["Greek", "?", "Slash", "show-shortcuts", { shiftKey: true }],
    ["Hebrew", "ע", "KeyG", "generate"],
    ["Hebrew", "]", "BracketLeft", "faster"],
    ["Arabic", "ل", "KeyG", "generate"],
    ["Arabic", "؟", "Slash", "show-shortcuts", { shiftKey: true }],
    ["Persian", "ل", "KeyG", "generate"],
    ["Hindi", "ग", "KeyI", undefined],
    ["Hindi", "ु", "KeyG", "generate"],
    ["Arabic, two letters", "لا", "KeyG", "generate"],
    ["Chinese, Bopomofo", "ㄕ", "KeyG", "generate"],
    ["English, Caps Lock", "G", "KeyG", "generate"],
    ["Russian, Caps Lock", "П", "KeyG", "generate"],
    ["an older Safari, an input method", "Unidentified", "KeyG", "generate"],
    ["Tamil, two signs", "ஸ்ரீ", "KeyG", "generate"],
    ["Thai", "เ", "KeyG", "generate"],
    ["Georgian", "გ", "KeyG", "generate"],
    ["Armenian", "գ", "KeyG", "generate"],
    ["Korean", "ㅎ", "KeyG", "generate"],
    ["Japanese, kana", "き", "KeyG", "generate"],
    ["Japanese, full width", "ｇ", "KeyG", "generate"],
    ["Japanese, an input method", "Process", "KeyG", "generate"],
    ["Chinese, full width", "？", "Slash", "show-shortcuts", { shiftKey: true }],
    ["Chinese", "【", "BracketLeft", undefined],
    ["Chinese, in the middle of a sign", "g", "KeyG", undefined, { isComposing: true }],
    // Latin keyboards: what is printed on the key.
    ["Dvorak", "g", "KeyU", "generate"],
    ["Dvorak", "i", "KeyG", undefined],
    ["French", "t", "KeyT", "switch-theme"],
    ["French", "m", "Semicolon", "show-models"],
    ["French", "?", "KeyM", "show-shortcuts", { shiftKey: true }],
    ["French", "Dead", "BracketLeft", undefined],
    ["French", "é", "Digit2", undefined],
    ["German", "ü", "BracketLeft", undefined],
    ["German", "[", "Digit8", undefined, { altGraph: true, ctrlKey: true, altKey: true }],
    ["German", "]", "Digit9", "faster", { altGraph: true, ctrlKey: true, altKey: true }],
    ["German, on a Mac", "]", "Digit6", "faster", { altKey: true }],
    ["Turkish", "g", "KeyG", "generate"],
    ["Turkish", "ı", "KeyI", undefined],
    ["Vietnamese", "ư", "BracketLeft", undefined],
  ])("%s: %s at %s → %s", async (_, key, code, id, more = {}) => {
    const { studio } = await openStudio();
    studio.player.display.getState().set({ speed: 0.25 });
    expect(actionFor(press(key, { code, ...more }), studio)?.id).toBe(id);
  });

  it("leaves Ctrl and Alt with letters of any script to the browser", async () => {
    const { studio } = await openStudio();
    for (const change of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }]) {
      expect(actionFor(press("к", { code: "KeyR", ...change }), studio)).toBeUndefined();
      expect(actionFor(press("r", { code: "KeyR", ...change }), studio)).toBeUndefined();
    }
    studio.preferences.getState().set({ letterKeys: false });
    expect(actionFor(press("п", { code: "KeyG" }), studio)).toBeUndefined();
    expect(actionFor(press("п", { code: "KeyG", focus: "text" }), studio)).toBeUndefined();
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

  it("undoes and does again by Ctrl+Z, but where one types the field does so itself", async () => {
    const { studio } = await openStudio();
    studio.settings.getState().enter("steps", "5");
    await settled();
    const z = (change: Partial<KeyPress>) =>
      actionFor(press("z", { ctrlKey: true, code: "KeyZ", ...change }), studio)?.id;
    expect([z({}), z({ focus: "pressable" }), z({ focus: "text" }), z({ focus: "dialog" })]).toEqual([
      ...["undo", "undo", undefined, undefined],
    ]);
    expect(z({ shiftKey: true })).toBeUndefined();
    studio.history.getState().undo();
    expect([z({}), z({ shiftKey: true, key: "Z" }), z({ shiftKey: true, focus: "text" })]).toEqual([
      ...[undefined, "redo", undefined],
    ]);
    expect(actionFor(press("y", { metaKey: true }), studio)?.id).toBe("redo");
    // Those with another key beside Ctrl are the browser's.
    expect(actionFor(press("K", { ctrlKey: true, shiftKey: true }), studio)).toBeUndefined();
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
    const keys = ACTIONS.flatMap(({ shortcuts }) =>
      shortcuts.map(({ key, ctrl, shift }) => `${ctrl ?? false} ${shift ?? false} ${key}`),
    );
    expect(new Set(keys).size).toBe(keys.length);
    expect(new Set(ACTIONS.map(({ id }) => id)).size).toBe(ACTIONS.length);
  });

  it("do what they say", async () => {
    const { studio } = await openStudio();
    const run = (id: string) => ACTIONS.find((action) => action.id === id)?.run(studio);
    run("to-end");
    expect(studio.player.playback.getState().index).toBe(3);
    run("step-back");
    expect(studio.player.playback.getState().index).toBe(2);
    run("switch-reading");
    expect(studio.player.display.getState().reading).toBe("expects");
    run("switch-axis");
    expect(studio.player.display.getState().axis).toBe("steps");
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

  it("tell what goes wrong in them, and throw nothing", async () => {
    const share = () => {
      throw new URIError("URI malformed");
    };
    const { studio } = testStudio({ share });
    await studio.open();
    const copy = ACTIONS.find(({ id }) => id === "copy-link") as Action;
    perform(copy, studio);
    expect(studio.generation.getState().problem?.message).toBe("URI malformed");
  });

  it.each([
    [async () => {}, "The link is copied"],
    [() => Promise.reject(new NotCopiedError("https://page.example/", true)), "stands in the address bar"],
    [() => Promise.reject(new NotCopiedError("https://page.example/", false)), "The link: https://page.example/"],
  ])("say where a link is: %#", async (share, words) => {
    const { studio } = testStudio({ share });
    await studio.open();
    perform(ACTIONS.find(({ id }) => id === "copy-link") as Action, studio);
    await settled();
    expect(studio.view.getState().said).toContain(words);
  });

  it.each([
    [async () => {}, "as an element, as a frame, and as Markdown"],
    [() => Promise.reject(new NotCopiedError("", false)), "lets nothing be copied"],
  ])("copy a run for other pages: %#", async (copyEmbed, words) => {
    const { studio } = testStudio({ copyEmbed });
    await studio.open();
    perform(ACTIONS.find(({ id }) => id === "copy-embed") as Action, studio);
    await settled();
    expect(studio.view.getState().said).toContain(words);
  });

  it("name a model in a link by where it comes from, not by how its address ends", async () => {
    const shared: (string | null)[] = [];
    const { studio } = testStudio({ share: async (_, model) => void shared.push(model) });
    await studio.open();
    const copy = ACTIONS.find(({ id }) => id === "copy-link") as Action;
    perform(copy, studio);
    const elsewhere = {
      baseUrl: "https://other.example/models/test/",
      dtype: null,
      kind: "address",
      label: "",
    } as const;
    studio.model.getState().choose(elsewhere, MANIFEST);
    perform(copy, studio);
    await settled();
    expect(shared).toEqual(["test", null]);
    expect(studio.view.getState().said).toContain("has to add this model first");
  });

  it("hold the word looked at, let it go, and let all go", async () => {
    const { studio } = await openStudio();
    expect(actionFor(press("h"), studio)).toBeUndefined();
    studio.player.playback.getState().seek(3);
    studio.player.inspection.getState().glance(1);
    const hold = actionFor(press("h", { focus: "pressable" }), studio);
    hold?.run(studio);
    expect(studio.draft.getState().held).toEqual([{ position: 1, token: PIECES.indexOf("▁cat"), word: "cat" }]);
    hold?.run(studio);
    expect(studio.draft.getState().held).toEqual([]);
    expect(actionFor(press("x"), studio)).toBeUndefined();
    hold?.run(studio);
    actionFor(press("x"), studio)?.run(studio);
    expect(studio.draft.getState().held).toEqual([]);
  });

  it("fork before the end only, and never another model's run", async () => {
    const { studio, engine } = await openStudio();
    studio.player.playback.getState().seek(3);
    expect(actionFor(press("f"), studio)).toBeUndefined();
    studio.player.playback.getState().seek(2);
    actionFor(press("f"), studio)?.run(studio);
    await settled();
    await engine.go();
    expect(engine.generated[0]?.from?.step).toBe(2);
    studio.runs.getState().add(runOf(["▁the", "▁cat"], { id: "foreign" }), true);
    const { trajectory } = runOf(["▁the", "▁cat"]);
    const foreign = { ...trajectory, model: "another" };
    studio.runs.getState().add(runOf(["▁the", "▁cat"], { id: "foreign", trajectory: foreign }), true);
    studio.player.playback.getState().seek(0);
    for (const key of ["f", "u", "s"]) expect(actionFor(press(key), studio)).toBeUndefined();
  });

  it("adopt a run, show its parent, and share it", async () => {
    const shared: string[] = [];
    const { studio, archive } = testStudio({ share: async (hash) => void shared.push(hash) });
    await studio.open();
    const parent = runOf(["▁the", "▁cat"], { id: "parent" });
    const { settings } = parent.trajectory;
    const held = [{ position: 0, token: 3 }];
    const way = {
      ...parent.trajectory,
      settings: { ...settings, seed: 99 },
      held,
      from: { run: { settings }, step: 0 },
    };
    studio.runs.getState().add(parent);
    studio.runs.getState().add(runOf(["▁the", "▁cat"], { id: "fork", trajectory: way }), true);
    const run = (id: string) => ACTIONS.find((action) => action.id === id)?.run(studio);
    run("adopt-run");
    expect(studio.settings.getState().values.seed).toBe(99);
    expect(studio.draft.getState().held).toEqual([{ position: 0, token: 3, word: "the" }]);
    run("copy-link");
    await settled();
    expect(shared[0] && recipeIn(shared[0])).toMatchObject({ held, from: { step: 0 } });
    expect(studio.view.getState().said).toContain("copied");
    run("show-parent");
    expect(studio.runs.getState().selectedId).toBe("parent");
    expect(studio.player.playback.getState().index).toBe(0);
    // The same of one whose frames are put away.
    await archive.save(parent);
    studio.runs.getState().select("fork");
    studio.runs.getState().fold(new Set(["parent"]));
    run("show-parent");
    await settled();
    expect(studio.player.run.getState()?.id).toBe("parent");
    expect(studio.player.playback.getState().index).toBe(0);
  });
});
