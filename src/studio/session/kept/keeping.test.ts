import { describe, expect, it } from "vitest";
import { settled } from "../../testing/fakeEngine";
import { testStudio } from "../../testing/studio";
import { ENGLISH } from "../../words/english";
import { keepingSentence } from "./keeping";

const thrown = () => {
  throw new DOMException("The operation is insecure.", "SecurityError");
};

describe("what is not kept", () => {
  it("is said in one sentence, or not at all", () => {
    expect(keepingSentence({ lost: new Set() }, ENGLISH)).toBeNull();
    expect(keepingSentence({ lost: new Set(["runs"]) }, ENGLISH)).toContain("keeps no runs of this page");
    expect(keepingSentence({ lost: new Set(["models", "runs"]) }, ENGLISH)).toContain("keeps no runs or models of");
    expect(keepingSentence({ lost: new Set(["models", "runs", "settings"]) }, ENGLISH)).toContain(
      "runs, settings or models",
    );
  });

  const sentence = (studio: ReturnType<typeof testStudio>["studio"]) =>
    keepingSentence(studio.keeping.getState(), ENGLISH);

  it("is nothing where everything is", async () => {
    const { studio, engine } = testStudio();
    await studio.open();
    void studio.generation.getState().start();
    await engine.go(6);
    await settled();
    expect(sentence(studio)).toBeNull();
  });

  it("is found when the page opens, where the browser has no storage or no database", async () => {
    const archive = { save: async () => null, remove: async () => {}, get: async () => null, all: async () => null };
    const { studio } = testStudio({ storage: null, archive });
    await studio.open();
    expect(sentence(studio)).toContain("runs or settings");
  });

  it("is found when settings cannot be read, or are refused when they change", async () => {
    const unreadable = testStudio({ storage: { getItem: thrown, setItem: thrown } }).studio;
    expect(sentence(unreadable)).toContain("settings");
    const full = testStudio({ storage: { getItem: () => null, setItem: thrown } }).studio;
    expect(sentence(full)).toBeNull();
    full.settings.getState().enter("steps", "5");
    expect(full.settings.getState().values.steps).toBe(5);
    expect(sentence(full)).toContain("settings");
  });

  it("is found when a run that has ended is refused", async () => {
    const archive = { save: async () => null, remove: async () => {}, get: async () => null, all: async () => [] };
    const { studio, engine } = testStudio({ archive });
    await studio.open();
    expect(sentence(studio)).toBeNull();
    void studio.generation.getState().start();
    await engine.go(6);
    await settled();
    expect(studio.runs.getState().runs).toHaveLength(2);
    expect(sentence(studio)).toContain("runs");
  });
});
