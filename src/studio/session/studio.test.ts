import { describe, expect, it, vi } from "vitest";
import type { Manifest } from "../../format/manifest";
import { TraceError } from "../../format/trace";
import { perform } from "../actions/action";
import { writeLinked } from "../actions/writing";
import { MANIFEST, settled } from "../testing/fakeEngine";
import { runOf, SETTINGS } from "../testing/runs";
import { testStudio } from "../testing/studio";
import { turnTo } from "./models/turnTo";

describe("opening the studio", () => {
  it("plays the recording at once, and loads nothing", async () => {
    const { studio, engine } = testStudio();
    await studio.open();
    expect(studio.runs.getState().selectedId).toBe("recorded");
    expect(studio.player.playback.getState()).toMatchObject({ index: 0, last: 3, total: 3, playing: true });
    expect(studio.view.getState().recording).toBe("here");
    expect(studio.model.getState().status).toBe("recorded");
    expect(engine.loads).toBe(0);
  });

  it("takes the manifest's defaults and limits", async () => {
    const { studio } = testStudio();
    await studio.open();
    expect(studio.settings.getState()).toMatchObject({ maxLength: 16, values: { steps: 3, length: 4 } });
  });

  it("says when there is no recording, and when it is broken", async () => {
    const missing = testStudio({ fetchRecording: async () => null }).studio;
    await missing.open();
    expect(missing.view.getState().recording).toBe("none");
    expect(missing.generation.getState().problem).toBeNull();

    const broken = testStudio({
      fetchRecording: async () => {
        throw new TraceError("The recorded run is not JSON.", "Record it again.");
      },
    }).studio;
    await broken.open();
    expect(broken.view.getState().recording).toBe("none");
    expect(broken.generation.getState().problem?.code).toBe("trace");
  });

  it("opens without a manifest: nothing was asked of the model yet", async () => {
    const { studio } = testStudio({ fetchManifest: () => Promise.reject(new Error("404")) });
    await studio.open();
    expect(studio.generation.getState().problem).toBeNull();
    expect(studio.settings.getState().values.steps).toBe(3);
  });

  it("says nothing of its own model to a visitor who has turned to another meanwhile", async () => {
    let answer: (manifest: Manifest) => void = () => {};
    const { studio } = testStudio({
      fetchManifest: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    const opening = studio.open();
    await settled();
    const other = { ...MANIFEST, name: "other", defaults: { ...SETTINGS, steps: 9 } };
    const { choice } = studio.model.getState();
    const source = { ...choice, baseUrl: "models/other/", host: "page.example" };
    turnTo(studio, { source, manifest: other, stored: null }, null);
    answer(MANIFEST);
    await opening;
    expect(studio.model.getState()).toMatchObject({ name: "other", manifest: other });
    expect(studio.settings.getState()).toMatchObject({ defaults: { steps: 9 }, values: { steps: 9 } });
  });

  it("brings back the runs of earlier visits, behind the recording that plays", async () => {
    const { studio, archive } = testStudio();
    await archive.save(runOf(["▁the", "▁cat"], { id: "earlier", startedAt: 5 }));
    await studio.open();
    expect(studio.runs.getState().runs.map(({ id }) => id)).toEqual(["earlier", "recorded"]);
    expect(studio.runs.getState().selectedId).toBe("recorded");
  });
});

describe("the one time axis", () => {
  it("turns to the selected run, at its end", async () => {
    const { studio } = testStudio();
    await studio.open();
    studio.runs.getState().add(runOf(["▁the", "▁cat"], { id: "other" }));
    studio.runs.getState().select("other");
    expect(studio.player.playback.getState()).toMatchObject({ index: 1, last: 1, total: 1, playing: false });
  });

  it("follows a run while it is written, and leaves a person who scrubs back alone", async () => {
    const { studio, engine } = testStudio();
    await studio.open();
    void studio.generation.getState().start();
    await settled();
    await engine.go();
    await engine.go(1);
    expect(studio.player.playback.getState()).toMatchObject({ index: 0, total: 3, live: true, following: true });
    studio.player.playback.getState().seek(0);
    await engine.go(3);
    expect(studio.player.playback.getState()).toMatchObject({ index: 0, last: 3, live: false });
  });

  it("stays with another run that is looked at meanwhile", async () => {
    const { studio, engine } = testStudio();
    await studio.open();
    void studio.generation.getState().start();
    await settled();
    await engine.go();
    await engine.go(2);
    studio.runs.getState().select("recorded");
    await engine.go(2);
    expect(studio.runs.getState().selectedId).toBe("recorded");
    expect(studio.player.playback.getState()).toMatchObject({ last: 3, live: false });
  });
});

describe("deleting", () => {
  it("reaches the archive, and so does taking it back", async () => {
    const { studio, archive } = testStudio();
    await archive.save(runOf(["▁the", "▁cat"], { id: "earlier", startedAt: 5 }));
    await studio.open();
    studio.runs.getState().remove("earlier");
    await vi.waitFor(() => expect(archive.kept.size).toBe(0));
    studio.runs.getState().restore();
    await vi.waitFor(() => expect([...archive.kept.keys()]).toEqual(["earlier"]));
    // Taken back before it has gone.
    studio.runs.getState().remove("earlier");
    studio.runs.getState().restore();
    await settled();
    expect(archive.kept.get("earlier")?.trajectory.frames).toHaveLength(2);
  });
});

describe("a link to a run", () => {
  const recipe = { settings: SETTINGS, from: { run: { settings: SETTINGS }, step: 1 } };
  const address = {
    model: "test",
    namesModel: true,
    backend: "auto",
    recipe,
    experiment: null,
    problem: null,
  } as const;

  it("is offered, not obeyed", async () => {
    const { studio, engine } = testStudio({ address });
    await studio.open();
    expect(studio.view.getState().linked).toEqual({ model: "test", recipe });
    expect(engine.loads).toBe(0);
    expect(studio.settings.getState().values.seed).not.toBe(SETTINGS.seed);
  });

  it("is offered while the model that it names is in use, and no other", async () => {
    const { studio, engine } = testStudio({ address });
    await studio.open();
    expect(writeLinked.enabled(studio)).toBe(true);
    const { choice } = studio.model.getState();
    const source = { ...choice, host: "page.example" };
    const turn = (manifest: Manifest) => turnTo(studio, { source, manifest, stored: null }, null);
    turn({ ...MANIFEST, name: "other" });
    expect(writeLinked.enabled(studio)).toBe(false);
    perform(writeLinked, studio);
    await settled();
    expect(engine.loads).toBe(0);
    turn(MANIFEST);
    expect(writeLinked.enabled(studio)).toBe(true);
  });

  it("that names no model is for the one in use", async () => {
    const { studio } = testStudio({ address: { ...address, model: "another", namesModel: false } });
    await studio.open();
    studio.model.getState().choose(studio.model.getState().choice, { ...MANIFEST, name: "other" });
    studio.openLinked({ ...address, model: "another", namesModel: false });
    expect(studio.view.getState().linked).toEqual({ model: "other", recipe });
  });

  it("shows the run where it has been written already", async () => {
    const { studio, archive } = testStudio({ address });
    const run = runOf(["▁the", "▁cat"], { id: "here" });
    await archive.save({ ...run, trajectory: { ...run.trajectory, ...recipe } });
    await studio.open();
    expect(studio.view.getState().linked).toBeNull();
    expect(studio.runs.getState().selectedId).toBe("here");
  });
});
