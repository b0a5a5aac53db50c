import { describe, expect, it } from "vitest";
import type { Manifest } from "../../../format/manifest";
import { MANIFEST, settled } from "../../testing/fakeEngine";
import { PIECES, runOf } from "../../testing/runs";
import { testStudio } from "../../testing/studio";
import { holdWord } from "./holdWord";

const run = runOf(["▁the ▁cat s .", "▁the ▁cat s ."]);
const id = (piece: string) => PIECES.indexOf(piece);

async function loadedStudio(manifest: Manifest = MANIFEST) {
  const test = testStudio({ fetchManifest: async () => manifest });
  test.engine.manifest = manifest;
  await test.studio.open();
  void test.studio.generation.getState().prepare();
  await settled();
  await test.engine.go();
  return test;
}

describe("holding a typed word", () => {
  it("holds its tokens at its place and those that follow", async () => {
    const { studio } = await loadedStudio();
    expect(await holdWord(studio, run, 1, " sat the ")).toBeNull();
    expect(studio.draft.getState().held).toEqual([
      { position: 1, token: id("▁sat"), word: "sat" },
      { position: 2, token: id("▁the"), word: "the" },
    ]);
  });

  it("takes a sign or an ending as it is, where one stood", async () => {
    const { studio } = await loadedStudio();
    expect(await holdWord(studio, run, 2, ".")).toBeNull();
    expect(studio.draft.getState().held).toEqual([{ position: 2, token: id("."), word: "." }]);
  });

  it("loads the model first, which alone can read", async () => {
    const { studio, engine } = testStudio();
    await studio.open();
    const holding = holdWord(studio, run, 0, "cat");
    await settled();
    expect(studio.generation.getState().phase).toBe("loading");
    await engine.go();
    expect(await holding).toBeNull();
    expect(studio.draft.getState().held).toEqual([{ position: 0, token: id("▁cat"), word: "cat" }]);
  });

  it("takes numbers where there is no tokenizer", async () => {
    const mute = { ...MANIFEST, files: MANIFEST.files.filter(({ path }) => path !== "tokenizer.json") };
    const { studio } = await loadedStudio(mute);
    expect(await holdWord(studio, run, 0, "cat")).toContain("numbers of tokens");
    expect(await holdWord(studio, run, 0, "999")).toContain("numbers of tokens");
    expect(await holdWord(studio, run, 0, "4 5")).toBeNull();
    expect(studio.draft.getState().held).toHaveLength(2);
  });

  it("says what is wrong, and holds nothing", async () => {
    const { studio } = await loadedStudio();
    expect(await holdWord(studio, run, 0, "  ")).toContain("Type the word");
    expect(await holdWord(studio, run, 3, "sat the")).toContain("2 tokens");
    const stranger = { ...run, trajectory: { ...run.trajectory, model: "another" } };
    expect(await holdWord(studio, stranger, 0, "cat")).toContain("another model");
    expect(studio.draft.getState().held).toEqual([]);
  });
});
