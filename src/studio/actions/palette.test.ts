import { describe, expect, it } from "vitest";
import { settled } from "../testing/fakeEngine";
import { runOf } from "../testing/runs";
import { testStudio } from "../testing/studio";
import { ENGLISH } from "../words/english";
import { GERMAN } from "../words/german";
import { ACTIONS } from "./all";
import { commandsOf, matching, obey } from "./palette";
import { whyNot } from "./whyNot";

async function opened() {
  const { studio } = testStudio();
  await studio.open();
  await studio.library.getState().refresh();
  const labels = (query: string) =>
    matching(commandsOf(studio), query, studio.words.getState()).map(({ label }) => label);
  const command = (label: string) => {
    const found = commandsOf(studio).find((each) => each.label === label);
    if (!found) throw new Error(`There is no command ${label}.`);
    return found;
  };
  return { studio, labels, command };
}

describe("the palette", () => {
  it("has every action with its shortcuts but the one that opens it, presets, experiments, runs and models", async () => {
    const { studio } = await opened();
    const all = commandsOf(studio);
    const own = ACTIONS.filter(({ id }) => id !== "open-palette");
    expect(all.slice(0, own.length).map(({ label, shortcuts }) => ({ label, shortcuts }))).toEqual(
      own.map(({ id, shortcuts }) => ({ label: ENGLISH.actions[id], shortcuts })),
    );
    expect([...new Set(all.map(({ group }) => group))]).toEqual([
      ...["Writing", "Time", "View", "Presets", "Experiments", "Runs", "Models"],
    ]);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  });

  it("finds by any words, beginnings first, whatever their case and accents", async () => {
    const { labels } = await opened();
    expect(labels("NEW seéd")[0]).toBe("Draw a new seed");
    expect(labels("seed")).toContain("Keep the seed for every run, or let it go");
    expect(labels("pure ode")).toEqual(["Preset: Pure ODE, 64"]);
    expect(labels("ode pure")).toEqual(["Preset: Pure ODE, 64"]);
    expect(labels("open a file")[0]).toBe(ENGLISH.actions["open-file"]);
    expect(labels("save")[0]).toBe(ENGLISH.actions["save-run"]);
    expect(labels("xyzzy")).toEqual([]);
    expect(labels(" ").length).toBe(labels("").length);
    const slow = labels("low");
    expect(slow.indexOf("Play slower")).toBeGreaterThanOrEqual(0);
  });

  it("finds the language by its name in either, and turns to the next", async () => {
    const { studio, labels, command } = await opened();
    for (const word of ["language", "sprache", "deutsch"]) {
      expect(labels(word)).toEqual([ENGLISH.actions["switch-language"]]);
    }
    obey(command(ENGLISH.actions["switch-language"]), studio);
    await studio.spoken();
    expect(labels("english")).toEqual([GERMAN.actions["switch-language"]]);
    expect(labels("language")).toEqual([GERMAN.actions["switch-language"]]);
    obey(command(GERMAN.actions["switch-language"]), studio);
    await studio.spoken();
    expect(studio.words.getState()).toBe(ENGLISH);
  });

  it("says why something cannot be done, and does not do it", async () => {
    const { studio, command } = await opened();
    expect(command("Cancel; what was written stays").why).toBe("Nothing is being written.");
    expect(command("Generate a text").why).toBeNull();
    studio.settings.getState().enter("steps", "0");
    const refused = command("Generate a text");
    expect(refused.why).toBe("A number below cannot be used yet.");
    obey(refused, studio);
    await settled();
    expect(studio.generation.getState().phase).toBe("idle");
  });

  it("knows of every action that cannot always be done what it needs", async () => {
    const fresh = testStudio().studio;
    const { studio } = await opened();
    studio.player.display.getState().set({ speed: 4 });
    const inLoad = testStudio().studio;
    void inLoad.generation.getState().start();
    for (const each of [fresh, studio, inLoad]) {
      const dead = ACTIONS.filter((action) => !action.enabled(each));
      expect(dead.filter((action) => whyNot(action, each) === ENGLISH.whyNot.otherwise).map(({ id }) => id)).toEqual(
        [],
      );
    }
  });

  it("takes a preset, shows a run, and turns to a model", async () => {
    const { studio, command } = await opened();
    obey(command("Preset: Official, 32 steps"), studio);
    expect(studio.settings.getState().values.steps).toBe(32);
    expect(command("Preset: Official, 32 steps").why).toBe("The settings are those already.");
    studio.runs.getState().add({ ...runOf(["▁the ▁cat"]), id: "other", startedAt: 5, text: "the cat\n  sat" });
    obey(command("Show run: the cat sat"), studio);
    expect(studio.runs.getState().selectedId).toBe("other");
    expect(command("Show run: the cat sat").why).toBe("It is the one shown.");
    const models = commandsOf(studio).filter(({ group }) => group === "Models");
    expect(models.length).toBeGreaterThan(0);
    expect(models.filter(({ why }) => why === "It is the one in use.")).toHaveLength(1);
  });
});
