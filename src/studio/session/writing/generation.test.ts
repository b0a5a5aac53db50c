import { describe, expect, it } from "vitest";
import { UnreachableError } from "../../../delivery/store/errors";
import { SettingsError } from "../../../flow/errors";
import { DeviceLostError } from "../../../runtime/runtime";
import { perform } from "../../actions/action";
import { adoptRun, generate, tryAgain, writeLinked } from "../../actions/writing";
import { type FakeEngine, MANIFEST, settled } from "../../testing/fakeEngine";
import { runOf, SETTINGS } from "../../testing/runs";
import { testStudio } from "../../testing/studio";
import { selectedRun } from "../runs/runs";
import type { Studio } from "../studio";
import { whyNotReady } from "./readiness";

/** A studio whose run has written `frames` of its four frames. */
async function writing(frames: number) {
  const test = testStudio();
  test.studio.settings.getState().enter("steps", "3");
  void test.studio.generation.getState().start();
  await settled();
  await test.engine.go();
  await test.engine.go(frames);
  // Frames come in batches.
  await new Promise((resolve) => setTimeout(resolve, 60));
  return test;
}

describe("generating", () => {
  it("loads once, writes, and puts every frame on the stage", async () => {
    const { studio, engine, archive } = await writing(2);
    expect(studio.model.getState().status).toBe("ready");
    expect(studio.generation.getState().phase).toBe("running");
    expect(selectedRun(studio.runs.getState())?.trajectory.frames).toHaveLength(2);
    await engine.go(2);
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: null });
    expect(selectedRun(studio.runs.getState())).toMatchObject({ status: "done", text: "after 3", seconds: 2 });
    expect(selectedRun(studio.runs.getState())?.trajectory.frames).toHaveLength(4);
    expect([...archive.kept.keys()]).toEqual(["run-1"]);

    void studio.generation.getState().start();
    await settled();
    await engine.go(4);
    expect(engine.loads).toBe(1);
    expect(studio.runs.getState().runs.map(({ id }) => id)).toEqual(["run-2", "run-1"]);
  });

  it("ends a run for the next one, and keeps what it wrote", async () => {
    const { studio, engine, archive } = await writing(2);
    void studio.generation.getState().start();
    await settled();
    expect(studio.generation.getState().phase).toBe("running");
    expect(archive.kept.get("run-1")?.status).toBe("cancelled");
    expect(archive.kept.get("run-1")?.trajectory.frames).toHaveLength(2);
    await engine.go(4);
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: null });
    expect(selectedRun(studio.runs.getState())).toMatchObject({ id: "run-2", status: "done" });
    expect(engine.loads).toBe(1);
  });

  it("does not load twice when pressed twice", async () => {
    const { studio, engine } = testStudio();
    void studio.generation.getState().start();
    void studio.generation.getState().start();
    await settled();
    await engine.go();
    expect(engine.loads).toBe(1);
    expect(engine.generated).toHaveLength(1);
  });

  it("keeps the frames of a run that is cancelled", async () => {
    const { studio, archive } = await writing(2);
    await studio.generation.getState().cancel();
    await settled();
    const run = selectedRun(studio.runs.getState());
    expect(run).toMatchObject({ status: "cancelled", text: "after 1" });
    expect(run?.trajectory.frames).toHaveLength(2);
    expect(studio.model.getState().status).toBe("ready");
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: null, cancelling: false });
    expect(archive.kept.get("run-1")?.status).toBe("cancelled");
  });

  it("goes back to where it was when a load is cancelled", async () => {
    const { studio } = testStudio();
    void studio.generation.getState().start();
    await settled();
    expect(studio.model.getState().status).toBe("loading");
    await studio.generation.getState().cancel();
    await settled();
    expect(studio.model.getState()).toMatchObject({ status: "recorded", progress: null });
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: null });
  });

  it("writes nothing when cancelled just as the load ends, too late for the engine to hear", async () => {
    const { studio, engine } = testStudio();
    // It had answered before it heard of it.
    const load = engine.load.bind(engine);
    engine.load = (request, onProgress) => load(request, onProgress);
    void studio.generation.getState().start();
    await settled();
    await studio.generation.getState().cancel();
    await engine.go();
    expect(engine.generated).toHaveLength(0);
    expect(studio.generation.getState().phase).toBe("idle");
    expect(studio.model.getState().status).toBe("ready");
  });

  it("keeps the frames that came before the GPU was lost, restores the engine, and says both", async () => {
    const { studio, engine, archive } = await writing(2);
    engine.lose(new DeviceLostError("The GPU is gone.", "Load again."));
    await settled();
    expect(studio.generation.getState()).toMatchObject({ phase: "loading", problem: { code: "device-lost" } });
    await engine.go();
    expect(selectedRun(studio.runs.getState())).toMatchObject({ status: "failed" });
    expect(archive.kept.get("run-1")?.trajectory.frames).toHaveLength(2);
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: { message: "The GPU is gone." } });
    expect(studio.generation.getState().problem?.action).toMatch(/kept.*restored \(WASM · 1 thread\)/);
    expect(studio.model.getState().status).toBe("ready");
    expect(engine).toMatchObject({ loads: 2, restored: 1 });

    void studio.generation.getState().start();
    await settled();
    await engine.go(4);
    expect(selectedRun(studio.runs.getState())).toMatchObject({ id: "run-2", status: "done" });
    expect(studio.generation.getState().problem).toBeNull();
  });

  it("restores a model lost between two runs with the next press, as if nothing had happened", async () => {
    const { studio, engine } = await writing(4);
    engine.lose(new DeviceLostError("The GPU is gone.", "Load again."));
    expect(studio.model.getState()).toMatchObject({ status: "lost", loaded: null });
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: null });
    void studio.generation.getState().start();
    await settled();
    await engine.go();
    expect(engine.restored).toBe(1);
    expect(studio.generation.getState()).toMatchObject({ phase: "running", problem: null });
  });

  it("does not bring back a lost model from which the visitor has turned", async () => {
    const { studio, engine } = await writing(4);
    const other = { ...MANIFEST, name: "other" };
    studio.model.getState().choose({ ...studio.model.getState().choice, baseUrl: "models/other/" }, other);
    engine.lose(new DeviceLostError("The GPU is gone.", "Load again."));
    expect(studio.model.getState()).toMatchObject({ name: "other", status: "recorded", loaded: null });
    engine.manifest = other;
    void studio.generation.getState().start();
    await settled();
    await engine.go();
    expect(engine.restored).toBe(0);
    expect(engine.requests.at(-1)?.baseUrl).toBe("models/other/");
    expect(studio.model.getState()).toMatchObject({ name: "other", status: "ready", loaded: { manifest: other } });
  });

  it("says what to do where the engine cannot be restored, and loads afresh with the next press", async () => {
    const { studio, engine } = await writing(1);
    engine.fault.load = new UnreachableError("No connection.", "Check it.");
    engine.lose(new DeviceLostError("The GPU is gone.", "Load again."));
    await settled();
    expect(studio.generation.getState()).toMatchObject({
      phase: "idle",
      problem: { code: "unreachable", message: "The GPU is gone. No connection.", action: "Check it." },
    });
    expect(studio.model.getState().status).toBe("error");
    engine.fault = {};
    void studio.generation.getState().start();
    await settled();
    expect(engine).toMatchObject({ loads: 3, restored: 1 });
  });

  it("keeps the model when only the settings were at fault", async () => {
    const { studio, engine } = await writing(1);
    engine.fault.generate = new SettingsError("steps is 0.", "Give an integer.");
    await engine.go();
    expect(studio.generation.getState().problem?.code).toBe("settings");
    expect(studio.model.getState().status).toBe("ready");
  });

  it("names what has no name", async () => {
    const { studio, engine } = testStudio();
    engine.fault.load = new TypeError("x is undefined");
    await studio.generation.getState().start();
    expect(studio.generation.getState().problem).toMatchObject({ code: "unexpected", message: "x is undefined" });
    expect(studio.model.getState().status).toBe("error");
  });

  it("adds to the shelf and takes nothing from it", async () => {
    const test = testStudio();
    test.studio.runs.getState().add(runOf(["▁the"], { id: "old" }));
    void test.studio.generation.getState().start();
    await settled();
    await test.engine.go();
    await test.engine.go(4);
    expect(test.studio.runs.getState().runs.map(({ id }) => id)).toContain("old");
  });
});

describe("forking", () => {
  /** A studio that has written one run of four frames. */
  async function written() {
    const test = await writing(4);
    const run = selectedRun(test.studio.runs.getState());
    if (!run) throw new Error("There is no run.");
    return { ...test, run };
  }

  it("goes on from the frame shown, keeps those before, and knows where it comes from", async () => {
    const { studio, engine, run } = await written();
    studio.settings.getState().set({ method: "ode" });
    studio.settings.getState().enter("length", "2");
    studio.draft.getState().hold([{ position: 1, token: 4, word: "cat" }]);
    void studio.generation.getState().fork(run, 2);
    await settled();
    const request = engine.generated.at(-1);
    const { settings } = run.trajectory;
    expect(request).toMatchObject({
      lead: false,
      held: [{ position: 1, token: 4 }],
      from: { run: { settings }, step: 2 },
      settings: { method: "ode", length: settings.length },
    });
    await engine.go(2);
    const fork = selectedRun(studio.runs.getState());
    expect(fork).toMatchObject({ id: "run-2", status: "done", trajectory: { from: { step: 2 } } });
    expect(fork?.trajectory.frames).toHaveLength(4);
    expect(fork?.trajectory.frames.slice(0, 2)).toEqual(run.trajectory.frames.slice(0, 2));
    // Forked before its own beginning, it is its parent that is forked.
    if (fork) void studio.generation.getState().fork(fork, 1);
    await settled();
    expect(engine.generated.at(-1)?.from).toEqual({ run: { settings }, step: 1 });
  });

  it("is on the stage with its parent's frames as soon as it begins", async () => {
    const { studio, engine, run } = await written();
    void studio.generation.getState().fork(run, 2);
    await settled();
    await engine.go(1);
    expect(selectedRun(studio.runs.getState())).toMatchObject({ id: "run-2", status: "running" });
    expect(studio.player.playback.getState()).toMatchObject({ index: 2, total: 3, live: true });
  });

  it("says how far the earlier run has been written again", async () => {
    const { studio, engine, run } = await written();
    engine.generate = (_, onEvent) => {
      onEvent({ type: "start", times: [0, 0.5, 0.75, 1], first: 2 });
      onEvent({ type: "recall", done: 1, total: 2 });
      return new Promise(() => {});
    };
    void studio.generation.getState().fork(run, 2);
    await settled();
    expect(studio.generation.getState().recall).toEqual({ done: 1, total: 2 });
  });

  it("writes a linked run whole", async () => {
    const { studio, engine } = await written();
    const recipe = { settings: SETTINGS, from: { run: { settings: SETTINGS }, step: 2 } };
    void studio.generation.getState().write(recipe);
    await settled();
    expect(engine.generated.at(-1)).toEqual({ ...recipe, lead: true, frames: "paced" });
    await engine.go(4);
    expect(selectedRun(studio.runs.getState())?.trajectory).toMatchObject({ from: recipe.from, settings: SETTINGS });
    expect(selectedRun(studio.runs.getState())?.trajectory.frames).toHaveLength(4);
  });
});

describe("trying again", () => {
  const linked = { settings: { ...SETTINGS, seed: 77 } };
  const unreachable = new UnreachableError("No connection.", "Check it.");

  /** A studio whose engine could not load for the run of a link. */
  async function refused() {
    const test = testStudio();
    test.engine.fault.load = unreachable;
    test.studio.view.getState().offer({ model: "test", recipe: linked });
    perform(writeLinked, test.studio);
    await settled();
    expect(test.studio.generation.getState().problem?.code).toBe("unreachable");
    expect(test.studio.view.getState().linked, "the problem offers it").toBeNull();
    test.engine.fault = {};
    return test;
  }

  async function again({ studio, engine }: Pick<Awaited<ReturnType<typeof refused>>, "studio" | "engine">) {
    perform(tryAgain, studio);
    await settled();
    if (studio.generation.getState().phase === "loading") await engine.go();
    return engine.generated.at(-1);
  }

  it("writes the run of a link, for which no model could be loaded, as often as it takes", async () => {
    const { studio, engine } = await refused();
    engine.fault.load = unreachable;
    await again({ studio, engine });
    expect(studio.generation.getState().problem?.code).toBe("unreachable");
    engine.fault = {};
    studio.settings.getState().enter("steps", "0");
    expect(tryAgain.enabled(studio), "what stands in the fields is not of that run").toBe(true);
    expect(await again({ studio, engine })).toMatchObject({ ...linked, lead: true });
    expect(studio.generation.getState()).toMatchObject({ problem: null, retry: null });
  });

  it("goes on from the same frame where a fork failed, with the settings as they stand", async () => {
    const { studio, engine } = await writing(4);
    const run = selectedRun(studio.runs.getState());
    if (!run) throw new Error("There is no run.");
    void studio.generation.getState().fork(run, 2);
    await settled();
    await engine.go();
    engine.fault.generate = unreachable;
    await engine.go();
    expect(studio.generation.getState().problem?.code).toBe("unreachable");
    engine.fault = {};
    studio.settings.getState().enter("steps", "0");
    expect(tryAgain.enabled(studio)).toBe(false);
    studio.settings.getState().enter("steps", "5");
    const from = { run: { settings: run.trajectory.settings }, step: 2 };
    expect(await again({ studio, engine })).toMatchObject({ from, lead: false, settings: { steps: 5 } });
  });

  it("loads the model, and writes nothing, where it was to be loaded alone", async () => {
    const { studio, engine } = testStudio();
    engine.fault.load = unreachable;
    await studio.generation.getState().prepare();
    expect(studio.generation.getState().problem?.code).toBe("unreachable");
    engine.fault = {};
    studio.settings.getState().enter("steps", "0");
    expect(tryAgain.enabled(studio), "nothing of the fields goes into a load").toBe(true);
    await again({ studio, engine });
    expect(studio.model.getState().status).toBe("ready");
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: null, retry: null });
    expect(engine.generated).toEqual([]);
  });

  it("is what Generate does where that failed, and where the model is another now", async () => {
    const generated = testStudio();
    generated.engine.fault.load = unreachable;
    perform(generate, generated.studio);
    await settled();
    generated.engine.fault = {};
    const turned = await refused();
    const { model } = turned.studio;
    model.getState().choose({ ...model.getState().choice, baseUrl: "models/other/" }, { ...MANIFEST, name: "other" });
    for (const test of [generated, turned]) {
      expect((await again(test))?.settings.seed).toBe(test.studio.settings.getState().values.seed);
    }
  });

  it("loads and writes nothing for what was neither a run nor a load, as a file that holds no run", async () => {
    const { studio, engine } = await refused();
    await studio.openFiles([new Blob(["no run"])]);
    expect(studio.generation.getState().problem?.code).toBe("run-file");
    expect(tryAgain.enabled(studio)).toBe(false);
    const { loads } = engine;
    expect(await again({ studio, engine })).toBeUndefined();
    expect(engine.loads).toBe(loads);
  });
});

describe("the run of a link", () => {
  const linked = { model: "test", recipe: { settings: { ...SETTINGS, seed: 77 } } };

  /** A studio on its way to that run, up to the load of the model. */
  async function asked() {
    const test = testStudio();
    test.studio.view.getState().offer(linked);
    perform(writeLinked, test.studio);
    await settled();
    expect(test.studio.view.getState().linked).toBeNull();
    return test;
  }

  async function cancelled({ studio }: Pick<Awaited<ReturnType<typeof asked>>, "studio">) {
    await studio.generation.getState().cancel();
    await settled();
    return studio.view.getState().linked;
  }

  it("is offered again where it was cancelled before anything of it was there", async () => {
    expect(await cancelled(await asked()), "while the model was loaded").toEqual(linked);
    const begun = await asked();
    await begun.engine.go();
    expect(await cancelled(begun), "before its first frame").toEqual(linked);
  });

  it("is on the shelf where it was cancelled later, and not offered once more", async () => {
    const test = await asked();
    await test.engine.go(1 + 2);
    expect(await cancelled(test)).toBeNull();
    expect(test.studio.runs.getState().runs).toMatchObject([{ status: "cancelled" }]);
  });

  it("gives way to another link that was opened meanwhile", async () => {
    const test = await asked();
    const other = { ...linked, recipe: { settings: { ...SETTINGS, seed: 78 } } };
    test.studio.view.getState().offer(other);
    expect(await cancelled(test)).toEqual(other);
  });
});

describe("a conditional model", () => {
  const manifest = { ...MANIFEST, architecture: { ...MANIFEST.architecture, maxInputLength: 3 } };

  it("is given the prompt, and not asked without one", async () => {
    const { studio, engine } = testStudio({ fetchManifest: async () => manifest });
    engine.manifest = manifest;
    await studio.open();
    expect(whyNotReady(studio)).toMatch(/^Type/);
    expect(generate.enabled(studio)).toBe(false);
    studio.draft.getState().setPrompt(" the cat ");
    expect(whyNotReady(studio)).toBeNull();
    void studio.generation.getState().start();
    await settled();
    await engine.go();
    expect(engine.generated[0]?.prompt).toEqual({ text: "the cat" });
  });

  it("says that a prompt is missing where only the load could tell", async () => {
    const { studio, engine } = testStudio({ fetchManifest: () => Promise.reject(new Error("404")) });
    engine.manifest = manifest;
    void studio.generation.getState().start();
    await settled();
    await engine.go();
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: { code: "condition" } });
    expect(studio.model.getState().status).toBe("ready");
    expect(engine.generated).toHaveLength(0);
  });
});

describe("a model that may be left without a prompt", () => {
  const architecture = { ...MANIFEST.architecture, maxInputLength: 3, sourceOptional: true };
  const manifest = { ...MANIFEST, architecture, defaults: { ...SETTINGS, cfgScale: 2 } };

  async function opened() {
    const test = testStudio({ fetchManifest: async () => manifest });
    test.engine.manifest = manifest;
    await test.studio.open();
    return test;
  }

  it("writes freely while the box is empty, without ω, which comes back with a prompt", async () => {
    const { studio, engine } = await opened();
    expect(whyNotReady(studio)).toBeNull();
    studio.draft.getState().setPrompt(" ");
    await studioWrites(studio, engine);
    expect(engine.generated[0]).not.toHaveProperty("prompt");
    expect(engine.generated[0]?.settings.cfgScale).toBe(1);
    expect(studio.settings.getState().values.cfgScale).toBe(2);
    studio.draft.getState().setPrompt("the cat");
    await studioWrites(studio, engine);
    expect(engine.generated[1]).toMatchObject({ prompt: { text: "the cat" }, settings: { cfgScale: 2 } });
  });

  it("forks a run by what that was given, whatever stands in the box now", async () => {
    const { studio, engine } = await opened();
    await studioWrites(studio, engine);
    studio.draft.getState().setPrompt("the cat");
    await studioWrites(studio, engine);
    const [told, free] = studio.runs.getState().runs;
    if (!told || !free) throw new Error("There are no two runs.");
    const cfgScales = [];
    for (const run of [free, told]) {
      studio.draft.getState().setPrompt(run === free ? "the cat" : "");
      void studio.generation.getState().fork(run, 1);
      await settled();
      cfgScales.push(engine.generated.at(-1)?.settings.cfgScale);
      await engine.go(3);
    }
    expect([told, free].map(({ trajectory }) => "prompt" in trajectory)).toEqual([true, false]);
    expect(cfgScales).toEqual([1, 2]);
  });

  it("takes from a free run that there was no prompt, and leaves ω alone", async () => {
    const { studio, engine } = await opened();
    await studioWrites(studio, engine);
    studio.draft.getState().setPrompt("the cat");
    adoptRun.run(studio);
    expect(studio.draft.getState().prompt).toBe("");
    expect(studio.settings.getState().values.cfgScale).toBe(2);
  });

  it("has room for a held word at the end only while it writes freely", async () => {
    const { studio } = await opened();
    studio.draft.getState().hold([{ position: 3, token: 4, word: "cat" }]);
    expect(whyNotReady(studio)).toBeNull();
    studio.draft.getState().setPrompt("the");
    expect(whyNotReady(studio)).toContain("position 4, and only 3");
  });
});

/** From the press of Generate to the last of the run's four frames. */
async function studioWrites({ generation }: Studio, engine: FakeEngine): Promise<void> {
  void generation.getState().start();
  await settled();
  if (generation.getState().phase === "loading") await engine.go();
  await engine.go(4);
}

it("a word held behind the end of the text keeps a run from beginning", async () => {
  const { studio } = testStudio();
  await studio.open();
  studio.draft.getState().hold([{ position: 3, token: 4, word: "cat" }]);
  expect(whyNotReady(studio)).toBeNull();
  studio.draft.getState().hold([{ position: 4, token: 4, word: "cat" }]);
  expect(whyNotReady(studio)).toContain("position 5, and only 4");
});
