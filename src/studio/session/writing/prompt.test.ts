import { afterEach, describe, expect, it, vi } from "vitest";
import { MOST_LETTERS } from "../../../flow/recipe";
import type { Manifest } from "../../../format/manifest";
import { MANIFEST } from "../../testing/fakeEngine";
import { MapStorage } from "../../testing/studio";
import { ENGLISH } from "../../words/english";
import { createModel } from "../models/model";
import { createDraft } from "./draft";
import { promptTitle, readPrompt, takesPrompt, writesFreely } from "./prompt";
import { countPrompts } from "./promptCount";

const reading: Manifest = { ...MANIFEST, architecture: { ...MANIFEST.architecture, maxInputLength: 3 } };
const numbering: Manifest = { ...reading, files: MANIFEST.files.filter(({ path }) => path !== "tokenizer.json") };

describe("readPrompt", () => {
  it("takes a text as far as it is known to be short enough", () => {
    expect(readPrompt(" the cat ", null, reading, ENGLISH.prompt)).toEqual({ prompt: { text: "the cat" } });
    expect(readPrompt("the cat", 3, reading, ENGLISH.prompt)).toEqual({ prompt: { text: "the cat" } });
    expect(readPrompt("the cat", 4, reading, ENGLISH.prompt).why).toContain("at most 3");
    expect(readPrompt(" \n", 0, reading, ENGLISH.prompt).why).toMatch(/^Type/);
  });

  it("refuses by its letters what nobody needs to count", () => {
    const most = "a".repeat(MOST_LETTERS);
    expect(readPrompt(`${most}  `, null, reading, ENGLISH.prompt)).toEqual({ prompt: { text: most } });
    expect(readPrompt(`a${most}`, null, reading, ENGLISH.prompt).why).toContain("50,001 letters are too many");
    expect(readPrompt(" 1".repeat(MOST_LETTERS), null, numbering, ENGLISH.prompt).why).toContain(
      "99,999 letters are too many",
    );
    expect(readPrompt(" ".repeat(2 * MOST_LETTERS), 0, reading, ENGLISH.prompt).why).toMatch(/^Type/);
  });

  it("takes numbers where there is no tokenizer", () => {
    expect(readPrompt("3, 4 5", null, numbering, ENGLISH.prompt)).toEqual({ prompt: { ids: [3, 4, 5] } });
    expect(readPrompt("3,4,5,6", null, numbering, ENGLISH.prompt).why).toContain("4 tokens are too many");
    expect(readPrompt("3, cat", null, numbering, ENGLISH.prompt).why).toContain("no tokenizer");
    expect(readPrompt("-1", null, numbering, ENGLISH.prompt).why).toContain("no tokenizer");
    expect(readPrompt("999", null, numbering, ENGLISH.prompt).why).toContain("no token 999");
  });

  it("is for models that take prompts", () => {
    expect([null, MANIFEST, reading].map(takesPrompt)).toEqual([false, false, true]);
  });
});

it("a run has no prompt where none is taken, or none is needed and the box is empty", () => {
  const optional: Manifest = { ...reading, architecture: { ...reading.architecture, sourceOptional: true } };
  const free = (manifest: Manifest | null) => ["", " \n", "the cat"].map((typed) => writesFreely(manifest, typed));
  expect(free(reading)).toEqual([false, false, false]);
  expect(free(optional)).toEqual([true, true, false]);
  expect(free(MANIFEST)).toEqual([true, true, true]);
  expect(free(null)).toEqual([true, true, true]);
});

it("the box is called by the model's own words, if they are few", () => {
  const called = (description: string) => promptTitle({ ...reading, description }, ENGLISH.prompt);
  expect(called("Translates German. Trained briefly.")).toEqual({
    title: "Translates German",
    note: "Trained briefly.",
  });
  expect(called("Continues stories")).toEqual({ title: "Continues stories", note: "" });
  const long = `It ${"really ".repeat(20)}writes.`;
  expect(called(long)).toEqual({ title: "Write to", note: long });
  expect(called("")).toEqual({ title: "Write to", note: "" });
  expect(promptTitle({ ...numbering, description: "Short." }, ENGLISH.prompt).title).toContain("numbers");
});

describe("counting", () => {
  afterEach(() => void vi.useRealTimers());

  function counting(manifest: Manifest) {
    vi.useFakeTimers();
    const draft = createDraft(null, "test");
    const model = createModel("test");
    const tokenize = vi.fn(async (text: string) => text.split(" ").map(Number));
    countPrompts(draft, model, { tokenize });
    model.getState().describe(manifest);
    const rest = () => vi.advanceTimersByTimeAsync(1000).finally(() => {});
    return { draft, model, tokenize, rest };
  }
  const loaded = (manifest: Manifest) =>
    ({
      manifest,
      dtype: "f32",
      backend: "wasm",
      variant: "plain",
      threads: 1,
      backendReason: "",
      lasting: true,
      pieces: [],
    }) as const;

  it("waits for the tokenizer, then for a rest", async () => {
    const { draft, model, tokenize, rest } = counting(reading);
    draft.getState().setPrompt("one two");
    await rest();
    expect(draft.getState().promptTokens).toBeNull();
    model.getState().finish(loaded(reading));
    await rest();
    expect(draft.getState().promptTokens).toBe(2);
    draft.getState().setPrompt("a");
    draft.getState().setPrompt("a b");
    draft.getState().setPrompt("a b c");
    expect(draft.getState().promptTokens).toBeNull();
    await rest();
    expect(draft.getState().promptTokens).toBe(3);
    expect(tokenize).toHaveBeenCalledTimes(2);
  });

  it("is left undone for a text of too many letters", async () => {
    const { draft, model, tokenize, rest } = counting(reading);
    model.getState().finish(loaded(reading));
    draft.getState().setPrompt("a".repeat(MOST_LETTERS + 1));
    await rest();
    expect(tokenize).not.toHaveBeenCalled();
    expect(draft.getState().promptTokens).toBeNull();
    draft.getState().setPrompt("one two");
    await rest();
    expect(draft.getState().promptTokens).toBe(2);
  });

  it("heeds no count of another text", async () => {
    const { draft } = counting(reading);
    draft.getState().setPrompt("new");
    draft.getState().countPrompt("old", 7);
    expect(draft.getState().promptTokens).toBeNull();
  });

  it("needs no tokenizer for numbers", async () => {
    const { draft, tokenize, rest } = counting(numbering);
    draft.getState().setPrompt("3, 4");
    await rest();
    expect(draft.getState().promptTokens).toBe(2);
    expect(tokenize).not.toHaveBeenCalled();
  });
});

describe("the draft", () => {
  it("survives the visit, for each model its own, and passes nonsense over", () => {
    const storage = new MapStorage();
    const first = createDraft(storage, "a");
    first.getState().setPrompt("the cat");
    first.getState().hold([{ position: 2, token: 5, word: "w5" }]);
    expect(createDraft(storage, "a").getState()).toMatchObject({
      prompt: "the cat",
      promptTokens: null,
      held: [{ position: 2, token: 5, word: "w5" }],
    });
    expect(createDraft(storage, "b").getState()).toMatchObject({ prompt: "", held: [] });
    storage.setItem("elf.drafts", '{"a":{"prompt":1}}');
    expect(createDraft(storage, "a").getState().prompt).toBe("");
  });

  it("turns to another model's and back", () => {
    const storage = new MapStorage();
    const draft = createDraft(storage, "a");
    draft.getState().setPrompt("for a");
    draft.getState().turnTo("b");
    expect(draft.getState()).toMatchObject({ prompt: "", held: [], model: "b" });
    draft.getState().hold([{ position: 1, token: 2, word: "w2" }]);
    draft.getState().turnTo("a");
    expect(draft.getState()).toMatchObject({ prompt: "for a", held: [] });
    expect(createDraft(storage, "b").getState().held).toEqual([{ position: 1, token: 2, word: "w2" }]);
    draft.getState().setPrompt("");
    expect(JSON.parse(storage.getItem("elf.drafts") ?? "")).toEqual({
      b: { prompt: "", held: [{ position: 1, token: 2, word: "w2" }] },
    });
  });

  it.each([
    "constructor",
    "toString",
    "valueOf",
  ])("is empty for a model called %s, as every object has something", (name) => {
    const storage = new MapStorage();
    expect(createDraft(storage, name).getState()).toMatchObject({ prompt: "", held: [] });
    const draft = createDraft(storage, "a");
    draft.getState().turnTo(name);
    expect(draft.getState()).toMatchObject({ prompt: "", held: [], model: name });
    draft.getState().setPrompt("the cat");
    expect(createDraft(storage, name).getState().prompt).toBe("the cat");
  });

  it("leaves what another tab has drafted for other models", () => {
    const storage = new MapStorage();
    createDraft(storage, "a").getState().setPrompt("old");
    const here = createDraft(storage, "b");
    const there = createDraft(storage, "a");
    there.getState().setPrompt("new");
    there.getState().hold([{ position: 1, token: 2, word: "w2" }]);
    here.getState().setPrompt("for b");
    const drafted = { prompt: "new", held: [{ position: 1, token: 2, word: "w2" }] };
    expect(JSON.parse(storage.getItem("elf.drafts") ?? "")).toEqual({ a: drafted, b: { prompt: "for b", held: [] } });
    here.getState().turnTo("a");
    expect(here.getState(), "as it was drafted there").toMatchObject(drafted);
    there.getState().setPrompt("newer");
    here.getState().turnTo("b");
    expect(here.getState().prompt).toBe("for b");
    here.getState().setPrompt("");
    expect(createDraft(storage, "a").getState().prompt).toBe("newer");
  });

  it("is not taken away by what another tab does with the same model", () => {
    const storage = new MapStorage();
    const here = createDraft(storage, "a");
    const there = createDraft(storage, "a");
    here.getState().setPrompt("here");
    there.getState().setPrompt("there");
    here.getState().turnTo("b");
    here.getState().turnTo("a");
    expect(here.getState().prompt).toBe("here");
    expect(createDraft(storage, "a").getState().prompt, "the last that was typed").toBe("there");
  });

  it.each([
    ["no storage", null],
    [
      "a storage that is full",
      {
        getItem: () => null,
        setItem: () => {
          throw new Error("QuotaExceededError");
        },
      },
    ],
  ])("lasts for the visit with %s, for each model its own", (_, storage) => {
    const draft = createDraft(storage, "a");
    draft.getState().setPrompt("for a");
    draft.getState().turnTo("b");
    draft.getState().setPrompt("for b");
    draft.getState().turnTo("a");
    expect(draft.getState().prompt).toBe("for a");
  });

  it("holds one token at a place, in order", () => {
    const draft = createDraft(null, "a");
    draft.getState().hold([
      { position: 4, token: 1, word: "w1" },
      { position: 2, token: 2, word: "w2" },
    ]);
    draft.getState().hold([{ position: 4, token: 3, word: "w3" }]);
    expect(draft.getState().held).toEqual([
      { position: 2, token: 2, word: "w2" },
      { position: 4, token: 3, word: "w3" },
    ]);
    draft.getState().letGo(2);
    expect(draft.getState().held).toEqual([{ position: 4, token: 3, word: "w3" }]);
    draft.getState().holdOnly([]);
    expect(draft.getState().held).toEqual([]);
  });
});
