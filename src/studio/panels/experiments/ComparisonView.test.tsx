import { describe, expect, it } from "vitest";
import { experimentNamed, gridOf } from "../../session/experiments/experiments";
import { drawn } from "../../testing/drawn";
import { settled } from "../../testing/fakeEngine";
import { runOf, SETTINGS } from "../../testing/runs";
import { testStudio } from "../../testing/studio";
import { ComparisonView } from "./ComparisonView";

/** An experiment that is begun, with its model there, and how many of its texts can be shown alone. */
async function begun(experiment = gridOf("steps", "selfCondScale")) {
  const { studio, engine } = testStudio();
  void studio.comparison.getState().begin(experiment, { settings: SETTINGS });
  await settled();
  await engine.go();
  const offered = () => {
    const { shown } = studio.comparison.getState();
    return shown && drawn(studio, <ComparisonView shown={shown} />).match(/aria-label="Show [^"]+ alone"/g)?.length;
  };
  return { engine, offered };
}

describe("a text of several", () => {
  it("of a grid is shown alone once it is written: until then it is nowhere else", async () => {
    const { engine, offered } = await begun();
    await engine.go(2);
    expect(offered()).toBeUndefined();
    // The first cell has four steps, and the second one begins.
    await engine.go(3 + 1);
    expect(offered()).toBe(1);
  });

  it("that is on the shelf is shown alone from its first frame on", async () => {
    const { engine, offered } = await begun(experimentNamed("samplers"));
    await engine.go(2);
    expect(offered()).toBe(1);
  });
});

it("two runs of the shelf whose settings are the same are called otherwise", () => {
  const { studio } = testStudio();
  const run = runOf(["▁the", "▁cat"], { id: "plain" });
  const held = { ...run, id: "held", trajectory: { ...run.trajectory, held: [{ position: 0, token: 4 }] } };
  for (const one of [run, held]) studio.runs.getState().add(one);
  studio.runs.getState().select(run.id);
  studio.comparison.getState().turn(held);
  const { shown } = studio.comparison.getState();
  const html = shown ? drawn(studio, <ComparisonView shown={shown} />) : "";
  expect(html.match(/aria-label="Show [^"]+ alone"/g)?.map((label) => label.includes("1 token held"))).toEqual([
    false,
    true,
  ]);
});
