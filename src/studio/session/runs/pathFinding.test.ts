import { describe, expect, it } from "vitest";
import { UnreachableError } from "../../../delivery/store/errors";
import { perform } from "../../actions/action";
import { tryAgain } from "../../actions/writing";
import { FakeEngine, settled } from "../../testing/fakeEngine";
import { runOf } from "../../testing/runs";
import { testStudio } from "../../testing/studio";
import { lacksPaths } from "./pathFinding";

const FRAMES = ["▁sat ▁sat", "▁the ▁sat", "▁the ▁cat", "▁the ▁cat"];

async function loaded() {
  const engine = new FakeEngine();
  const test = testStudio({ engine });
  const prepared = test.studio.generation.getState().prepare();
  await settled();
  await engine.go();
  await prepared;
  return { ...test, engine };
}

describe("the paths of a run", () => {
  it("are found for the run on the stage while it is looked at through their lens, and kept", async () => {
    const { studio, archive } = await loaded();
    const run = runOf(FRAMES, { id: "shown" });
    studio.runs.getState().add(run, true);
    await settled();
    expect(studio.runs.getState().runs[0]?.trajectory.paths).toBeUndefined();
    studio.view.getState().lookThrough("paths");
    await settled();
    await settled();
    const found = studio.runs.getState().runs[0];
    expect(found && lacksPaths(found)).toBe(false);
    expect(archive.kept.get("shown")?.trajectory.paths).toBeDefined();
  });

  it("are refused where the loaded model, whatever its name, writes another text by the same recipe", async () => {
    const { studio } = await loaded();
    studio.runs.getState().add(runOf(["▁cat ▁cat", "▁cat ▁cat"], { id: "before" }), true);
    studio.view.getState().lookThrough("paths");
    await settled();
    await settled();
    expect(studio.pathFinding.getState().refused.get("before")).toBe("another-text");
    expect(studio.runs.getState().runs[0]?.trajectory.paths).toBeUndefined();
  });

  it("can be asked for again where the engine was lost meanwhile", async () => {
    const { studio, engine } = await loaded();
    const run = runOf(FRAMES, { id: "shown" });
    studio.runs.getState().add(run, true);
    engine.beforeRead = async () => {
      engine.lose(new Error("The device was lost."));
      throw new Error("The device was lost.");
    };
    studio.view.getState().lookThrough("paths");
    await settled();
    await settled();
    expect(studio.model.getState().status).toBe("lost");
    expect(studio.pathFinding.getState()).toMatchObject({ findingId: null });
    expect(studio.pathFinding.getState().refused.size).toBe(0);
  });

  it("wait for a press where the run was computed otherwise, and are refused where its recipe writes another text", async () => {
    const { studio } = await loaded();
    const run = runOf(["▁cat ▁cat", "▁cat ▁cat"], { id: "other", backend: "webgpu" });
    studio.runs.getState().add(run, true);
    studio.view.getState().lookThrough("paths");
    await settled();
    expect(studio.pathFinding.getState()).toMatchObject({ findingId: null });
    await studio.pathFinding.getState().find(run);
    expect(studio.pathFinding.getState().refused.get("other")).toBe("another-text");
    expect(studio.runs.getState().runs[0]?.trajectory.paths).toBeUndefined();
  });

  it("are what is tried again where the model could not be loaded for them", async () => {
    const { studio, engine } = testStudio();
    // By itself nobody asks for the paths of a run that was computed otherwise.
    const run = runOf(FRAMES, { id: "other", backend: "webgpu" });
    studio.runs.getState().add(run, true);
    engine.fault.load = new UnreachableError("No connection.", "Check it.");
    await studio.pathFinding.getState().find(run);
    expect(studio.generation.getState().problem?.code).toBe("unreachable");
    engine.fault = {};
    perform(tryAgain, studio);
    await settled();
    await engine.go();
    await settled();
    expect(studio.runs.getState().runs[0]?.trajectory.paths).toBeDefined();
    expect(engine.generated).toEqual([]);
  });

  it("are not asked for while a text is being written, or of another model's run", async () => {
    const { studio, engine } = await loaded();
    const run = runOf(FRAMES, { id: "shown" });
    const foreign = { ...run, trajectory: { ...run.trajectory, model: "another" } };
    studio.runs.getState().add(foreign, true);
    studio.view.getState().lookThrough("paths");
    await studio.pathFinding.getState().find(foreign);
    expect(studio.runs.getState().runs[0]?.trajectory.paths).toBeUndefined();
    expect(engine.reads).toEqual([]);
    expect(lacksPaths({ ...run, status: "running" })).toBe(false);
  });
});
