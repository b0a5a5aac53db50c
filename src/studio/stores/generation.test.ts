import { describe, expect, it } from "vitest";
import { SettingsError } from "../../flow/errors";
import { DeviceLostError } from "../../model/runtime";
import { settled } from "../testing/fakeEngine";
import { runOf } from "../testing/runs";
import { testStudio } from "../testing/studio";
import { selectedRun } from "./runs";

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

  it("writes nothing when cancelled just as the load ends, which the engine cannot hear", async () => {
    const { studio, engine } = testStudio();
    engine.cancel = async () => {};
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
    expect(studio.generation.getState().problem?.action).toMatch(/kept.*restored on WASM · 1 thread/);
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

  it("says what to do where the engine cannot be restored, and loads afresh with the next press", async () => {
    const { studio, engine } = await writing(1);
    engine.fault.load = { code: "unreachable", message: "No connection.", action: "Check it." };
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
