import { describe, expect, it } from "vitest";
import { recipeOf } from "../../../flow/recipe";
import { FakeEngine, MANIFEST, settled } from "../../testing/fakeEngine";
import { runOf, SETTINGS } from "../../testing/runs";
import { testStudio } from "../../testing/studio";
import { ENGLISH } from "../../words/english";
import { runsOf } from "./comparison";
import { gridOf } from "./experiments";
import { backFrom, whyNotBack, writeBack } from "./wayBack";

const FRAMES = ["▁sat ▁sat", "▁the ▁sat", "▁the ▁cat", "▁the ▁cat"];
const held = [{ position: 1, token: 7 }];

function shownStudio() {
  const engine = new FakeEngine();
  const { studio } = testStudio({ engine });
  studio.model.getState().describe(MANIFEST);
  const run = runOf(FRAMES, { id: "shown" });
  studio.runs.getState().add(run, true);
  return { studio, engine, run };
}

describe("a text taken back to noise", () => {
  it("is all tokens of the run's end; forward it goes by the ODE on the schedule that led back, with what is held", () => {
    const run = runOf(FRAMES);
    const { settings, prompt } = {
      settings: { ...SETTINGS, gamma: 3, schedule: "uniform" as const },
      prompt: { text: "A" },
    };
    const trajectory = { ...run.trajectory, settings: { ...settings, gammaCurve: [[0, 1]] as const }, prompt };
    expect(backFrom({ ...run, trajectory }, held)).toEqual({
      settings: { ...settings, method: "ode", solver: "euler", schedule: "quantile" },
      prompt,
      back: { ids: [3, 4] },
      held,
    });
  });

  it("is written once, and stands beside the run that it comes from", async () => {
    const { studio, engine, run } = shownStudio();
    const ended = writeBack(studio);
    await settled();
    await engine.go(1 + SETTINGS.steps + 1);
    await ended;
    const { shown } = studio.comparison.getState();
    const written = shown && runsOf(shown, studio.runs.getState().runs);
    expect(written?.map((one) => one?.trajectory.back ?? null)).toEqual([null, { ids: [3, 4] }]);
    expect(studio.runs.getState().selectedId).toBe(run.id);
    await writeBack(studio);
    expect(engine.generated).toHaveLength(1);
  });

  it("takes the place of a grid at once, whose texts would be said to stay", async () => {
    const { studio, engine, run } = shownStudio();
    void studio.comparison.getState().begin(gridOf("steps", "selfCondScale"), recipeOf(run.trajectory));
    await settled();
    await engine.go(1 + 2 * (SETTINGS.steps + 1));
    await studio.generation.getState().cancel();
    await settled();
    expect(studio.comparison.getState().laid.length).toBeGreaterThan(0);
    const ended = writeBack(studio);
    expect(studio.comparison.getState().shown).toBeNull();
    await settled();
    await engine.go(SETTINGS.steps + 1);
    await ended;
    expect(studio.view.getState().said).not.toBe(ENGLISH.said.textsStay);
    expect(studio.comparison.getState().shown?.members).toHaveLength(2);
  });

  it("that is cancelled on the way is laid beside nothing", async () => {
    const { studio, engine } = shownStudio();
    const ended = writeBack(studio);
    await settled();
    await engine.go(2);
    await studio.generation.getState().cancel();
    await settled();
    await ended;
    expect(studio.comparison.getState().shown).toBeNull();
  });

  it("says why it cannot be had", () => {
    const { studio, run } = shownStudio();
    expect(whyNotBack(studio, ENGLISH)).toBeNull();
    studio.runs.getState().change(run.id, { status: "cancelled" });
    expect(whyNotBack(studio, ENGLISH)).toContain("complete");
    studio.model.getState().describe({ ...MANIFEST, graphs: { ...MANIFEST.graphs, encoder: undefined } } as never);
    studio.runs.getState().change(run.id, { status: "done" });
    expect(whyNotBack(studio, ENGLISH)).toContain("no encoder");
    studio.model.setState({ name: "another" });
    expect(whyNotBack(studio, ENGLISH)).toContain("model in use");
  });
});
