import { describe, expect, it } from "vitest";
import { NoSpaceError } from "../../../delivery/store/errors";
import { generate } from "../../actions/writing";
import { MANIFEST, settled } from "../../testing/fakeEngine";
import { FakeLibrary } from "../../testing/fakeLibrary";
import { MapStorage, testStudio } from "../../testing/studio";
import { loadFromShelf, turnTo } from "./turnTo";

const elsewhere = "https://models.example/other/";
const other = { ...MANIFEST, name: "other", title: "Other" };

function shelf(change: object = {}) {
  const library = new FakeLibrary();
  library.found.set("other/", other);
  const test = testStudio({ library, ...change });
  return { ...test, fake: library, library: test.studio.library };
}

const stored = (baseUrl: string, manifest = MANIFEST) => ({
  baseUrl,
  manifest,
  dtypes: { f32: { storedBytes: 10, totalBytes: 10 } },
  bytes: 10,
  ownBytes: 10,
});

describe("the shelf", () => {
  it("shows what ships and what is stored, and asks no other host for it", async () => {
    const { library, fake } = shelf();
    fake.stored.set(elsewhere, stored(elsewhere, other));
    await library.getState().refresh();
    expect(library.getState().models).toMatchObject([
      { source: { baseUrl: elsewhere, host: "models.example" }, manifest: { title: "Other" }, stored: { bytes: 10 } },
      { source: { kind: "shipped" }, manifest: { title: "Test" }, stored: null },
    ]);
    expect(fake.looked).toEqual(["https://page.example/models/test/"]);
    expect(library.getState()).toMatchObject({ lasting: true, space: { freeBytes: 1e9 } });
  });

  it("looks up an address once it is told to, and says what is wrong with it", async () => {
    const { library, fake } = shelf();
    await library.getState().add("nonsense");
    expect(library.getState().problem?.code).toBe("source");
    expect(fake.looked).toEqual([]);
    await library.getState().add("https://models.example/nothing");
    expect(library.getState().problem?.code).toBe("missing-file");
    await library.getState().add("https://models.example/other");
    expect(library.getState()).toMatchObject({
      problem: null,
      looking: null,
      models: [{ manifest: { title: "Other" } }],
    });
  });

  it("takes a dropped folder, and refuses one without a manifest", async () => {
    const { library } = shelf();
    const file = new Blob([JSON.stringify(MANIFEST)]);
    await library.getState().addFiles([{ path: "notes.txt", file }]);
    expect(library.getState().problem?.message).toContain("no manifest.json");
    await library.getState().addFiles([{ path: "mine/manifest.json", file }]);
    const [model] = library.getState().models;
    expect(model).toMatchObject({ source: { kind: "folder", label: "mine" }, files: [{ path: "manifest.json" }] });
  });

  it("follows a download to its end, with its waits", async () => {
    const { library, fake } = shelf();
    await library.getState().add(elsewhere);
    const [model] = library.getState().models;
    if (!model) throw new Error("It was not found.");
    const keeping = library.getState().keep(model, "f32");
    await settled();
    fake.report({ loadedBytes: 10, totalBytes: 100, wait: { reason: "The line broke.", seconds: 2, failures: 1 } });
    expect(library.getState().download).toMatchObject({
      baseUrl: elsewhere,
      progress: { loadedBytes: 10, totalBytes: 100 },
      wait: { seconds: 2 },
    });
    fake.finish();
    await keeping;
    expect(library.getState().download).toBeNull();
    expect(library.getState().models[0]?.stored?.bytes).toBe(1000);
    expect(library.getState().news).toContain("Other is stored");

    await library.getState().remove(model);
    expect(library.getState().models).toEqual([]);
    expect(fake.stored.size).toBe(0);
  });

  it("says why a download failed, and nothing where it was cancelled", async () => {
    const { library, fake } = shelf();
    await library.getState().refresh();
    const [model] = library.getState().models;
    if (!model) throw new Error("Nothing ships.");
    const failing = library.getState().keep(model, "f32");
    await settled();
    fake.finish(new NoSpaceError("It needs 2 GB and has 1.", "Delete something."));
    await failing;
    expect(library.getState().problem).toMatchObject({ code: "no-space", message: "It needs 2 GB and has 1." });
    const cancelled = library.getState().keep(model, "f32");
    await settled();
    await library.getState().cancel();
    await cancelled;
    expect(library.getState()).toMatchObject({ problem: null, download: null });
  });
});

describe("a model of the shelf", () => {
  it("is loaded at once, with its own settings, and is there again at the next visit while it is stored", async () => {
    const storage = new MapStorage();
    const first = shelf({ storage });
    first.studio.settings.getState().enter("steps", "77");
    await first.library.getState().add(elsewhere);
    const [model] = first.library.getState().models;
    if (!model) throw new Error("It was not found.");
    const loading = loadFromShelf(first.studio, model, "f32");
    await settled();
    expect(first.studio.model.getState()).toMatchObject({ name: "other", status: "loading" });
    await first.engine.go();
    await loading;
    expect(first.studio.model.getState().status).toBe("ready");
    expect(first.engine.requests.at(-1)).toMatchObject({ baseUrl: elsewhere, dtype: "f32" });
    expect(first.studio.settings.getState().values.steps).toBe(MANIFEST.defaults.steps);
    expect(first.engine.generated).toEqual([]);

    const address = { model: "test", namesModel: false, backend: "auto", problem: null };
    const second = shelf({ storage, address });
    second.fake.stored.set(elsewhere, stored(elsewhere, other));
    await second.studio.open();
    expect(second.studio.model.getState()).toMatchObject({ name: "other", status: "recorded", loaded: null });
    expect(second.fake.looked).not.toContain(elsewhere);

    const third = shelf({ storage, address });
    await third.studio.open();
    expect(third.studio.model.getState().name).toBe("test");
    expect(third.studio.settings.getState().values.steps).toBe(77);
  });

  it("of the last visit does not take the place of what was asked for while it was looked for", async () => {
    const choice = JSON.stringify({ baseUrl: elsewhere, dtype: "f32" });
    const address = { model: "test", namesModel: false, backend: "auto", problem: null };
    const open = async () => {
      const storage = new MapStorage();
      storage.setItem("elf.model", choice);
      let look = () => {};
      const looked = new Promise<void>((resolve) => {
        look = resolve;
      });
      const findMachine = async () => {
        await looked;
        return { limits: null, deviceBytes: null };
      };
      const test = shelf({ storage, address, findMachine });
      test.fake.stored.set(elsewhere, stored(elsewhere, other));
      const opening = test.studio.open();
      await settled();
      return { ...test, look, opening };
    };

    const pressed = await open();
    void pressed.studio.generation.getState().start();
    await settled();
    pressed.look();
    await pressed.opening;
    // What the load will cost is known all the same.
    expect(pressed.studio.model.getState()).toMatchObject({ status: "loading", manifest: { name: "test" } });
    await pressed.engine.go();
    expect(pressed.studio.model.getState()).toMatchObject({ name: "test", status: "ready" });
    expect(pressed.engine.generated).toHaveLength(1);

    const turned = await open();
    const third = { ...MANIFEST, name: "third" };
    turned.studio.model
      .getState()
      .choose({ ...turned.studio.model.getState().choice, baseUrl: "models/third/" }, third);
    turned.look();
    await turned.opening;
    expect(turned.studio.model.getState()).toMatchObject({ name: "third", manifest: third });
  });

  it("takes the place of one that is still being loaded", async () => {
    const { studio, library, engine } = shelf();
    await library.getState().refresh();
    await library.getState().add(elsewhere);
    const [slow, quick] = library.getState().models;
    if (!slow || !quick) throw new Error("They were not found.");
    const first = loadFromShelf(studio, slow, "f32");
    await settled();
    const second = loadFromShelf(studio, quick, "f32");
    await settled();
    await engine.go();
    await Promise.all([first, second]);
    expect(studio.model.getState()).toMatchObject({ name: "other", status: "ready" });
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: null });
  });

  it("that is turned to ends the load of the one before, and can be written with at once", async () => {
    const { studio, library } = shelf();
    await library.getState().refresh();
    await library.getState().add(elsewhere);
    const [slow, quick] = library.getState().models;
    if (!slow || !quick) throw new Error("They were not found.");
    void loadFromShelf(studio, slow, "f32");
    await settled();
    turnTo(studio, quick, null);
    await settled();
    expect(studio.model.getState()).toMatchObject({ name: "other", status: "recorded", progress: null });
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: null });
    expect(generate.enabled(studio)).toBe(true);
  });
});
