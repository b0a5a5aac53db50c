import { describe, expect, it } from "vitest";
import { FakeEngine, settled } from "../../testing/fakeEngine";
import { runOf, SETTINGS } from "../../testing/runs";
import { testStudio } from "../../testing/studio";
import { PHASE_RUNS, phasesKey } from "./phases";

const FRAMES = ["▁sat ▁sat", "▁the ▁sat", "▁the ▁cat", "▁the ▁cat"];

async function begun(engine = new FakeEngine()) {
  const { studio, archive } = testStudio({ engine });
  const run = runOf(FRAMES, { id: "shown" });
  studio.runs.getState().add(run, true);
  const ended = studio.phases.getState().count(run);
  await settled();
  await engine.go();
  const write = async (runs: number) => {
    for (let i = 0; i < runs; i++) await engine.go(SETTINGS.steps + 1);
  };
  const phases = () => studio.phases.getState().counted.get(phasesKey(run));
  return { studio, engine, archive, run, ended, write, phases };
}

describe("phases", () => {
  it("count a hundred runs in further seeds, and keep none of them", async () => {
    const { studio, engine, archive, ended, write, phases } = await begun();
    await write(PHASE_RUNS);
    await ended;
    expect(phases()?.holds.runs).toBe(PHASE_RUNS);
    expect(phases()?.expects.words).toBe(phases()?.holds.words);
    expect(new Set(engine.generated.map(({ settings }) => settings.seed)).size).toBe(PHASE_RUNS);
    expect(engine.generated.every(({ frames }) => frames === "every")).toBe(true);
    expect(studio.phases.getState().counting).toBeNull();
    expect(studio.runs.getState().runs.map(({ id }) => id)).toEqual(["shown"]);
    expect(archive.kept.size).toBe(0);
  });

  it("take runs at once on a GPU, each by itself", async () => {
    const engine = new FakeEngine();
    engine.backend = "webgpu";
    const { ended, phases } = await begun(engine);
    expect(engine.generated).toHaveLength(PHASE_RUNS);
    await engine.go(SETTINGS.steps + 1);
    await ended;
    expect(phases()?.holds.runs).toBe(PHASE_RUNS);
  });

  it("go on where a cancel ended them, and leave out the run it cut", async () => {
    const { studio, engine, run, ended, write, phases } = await begun();
    await write(2);
    await engine.go(2);
    await studio.generation.getState().cancel();
    await settled();
    await ended;
    expect(phases()?.holds.runs).toBe(2);
    void studio.phases.getState().count(run);
    await settled();
    expect(engine.generated.at(-1)?.settings.seed).toBe(run.trajectory.settings.seed + 2);
    await write(1);
    expect(phases()?.holds.runs).toBe(3);
  });

  it("are those of every run that differs by its seed alone, and of no fork", async () => {
    const { studio, run, write, engine } = await begun();
    await write(1);
    const { settings } = run.trajectory;
    const other = { trajectory: { ...run.trajectory, settings: { ...settings, seed: settings.seed + 50 } } };
    expect(phasesKey(other)).toBe(phasesKey(run));
    const slower = { trajectory: { ...run.trajectory, settings: { ...settings, steps: 9 } } };
    expect(phasesKey(slower)).not.toBe(phasesKey(run));
    await studio.generation.getState().cancel();
    await settled();
    const before = engine.generated.length;
    const fork = { ...run, trajectory: { ...run.trajectory, from: { run: { settings }, step: 1 } } };
    await studio.phases.getState().count(fork);
    expect(engine.generated).toHaveLength(before);
  });
});
