import { describe, expect, it } from "vitest";
import { perform } from "../../actions/action";
import { adoptRun, redo, undo } from "../../actions/writing";
import { MANIFEST, settled } from "../../testing/fakeEngine";
import { runOf, SETTINGS } from "../../testing/runs";
import { testStudio } from "../../testing/studio";
import { GERMAN } from "../../words/german";
import { applyPreset, presetsFor } from "./presets";

/** A studio whose clock stands until a test turns it. */
async function opened() {
  let clock = 0;
  const { studio } = testStudio({ now: () => clock });
  await studio.open();
  await settled();
  const later = async (milliseconds = 5000) => {
    await settled();
    clock += milliseconds;
  };
  const { settings, draft, history, view } = studio;
  return { studio, later, settings, draft, history, view };
}

describe("the history of the draft", () => {
  it("begins empty: what a model brings with it is nobody's change", async () => {
    const { history } = await opened();
    expect(history.getState().past).toEqual([]);
    expect(history.getState().undo()).toBe("");
  });

  it("goes back and on by one setting at a time, and says what is now as it was", async () => {
    const { studio, settings, history, view, later } = await opened();
    const { gamma, steps } = settings.getState().values;
    settings.getState().enter("gamma", "2.5");
    await later();
    settings.getState().enter("steps", "9");
    await later();
    perform(undo, studio);
    expect(view.getState().said).toBe(`Steps back to ${steps}.`);
    perform(undo, studio);
    expect(view.getState().said).toBe(`γ back to ${gamma}.`);
    expect(settings.getState().values).toMatchObject({ gamma, steps });
    expect(undo.enabled(studio)).toBe(false);
    perform(redo, studio);
    expect(view.getState().said).toBe("γ again 2.5.");
    expect(settings.getState().values).toMatchObject({ gamma: 2.5, steps });
    await later();
    settings.getState().enter("length", "3");
    await later();
    expect(history.getState().future, "another way was taken").toEqual([]);
  });

  it("says in German what is now, in the words and the numbers of the controls", async () => {
    const { studio, settings, history, later } = await opened();
    studio.words.setState(GERMAN, true);
    const { schedule } = settings.getState().values;
    settings.getState().enter("gamma", "2.5");
    await later();
    settings.getState().set({ schedule: "uniform" });
    await later();
    const curve = [
      [0, 0.5],
      [0.4, 3],
    ] as const;
    settings.getState().set({ gammaCurve: curve });
    await later();
    expect(history.getState().undo()).toBe("Zurück: γ über t aus.");
    expect(history.getState().redo()).toBe("Wieder: γ über t 0,5→3.");
    history.getState().undo();
    expect(history.getState().undo()).toBe(`Zurück: Zeitplan ${GERMAN.settings.schedule.names[schedule]}.`);
    expect(history.getState().redo()).toBe("Wieder: Zeitplan Gleichmäßig.");
    history.getState().undo();
    history.getState().undo();
    expect(history.getState().redo()).toBe("Wieder: γ 2,5.");
  });

  it("goes back to what the model wants, where a change came before it was known", async () => {
    const { studio } = testStudio();
    const { settings, history } = studio;
    settings.getState().enter("gamma", "0.25");
    await settled();
    settings.getState().enter("steps", "9");
    await settled();
    const { seed } = settings.getState().values;
    settings.getState().learn(MANIFEST.defaults, MANIFEST.architecture.maxLength);
    await settled();
    history.getState().undo();
    expect(settings.getState().values).toEqual({ ...MANIFEST.defaults, seed, gamma: 0.25 });
    history.getState().undo();
    expect(settings.getState().values).toEqual({ ...MANIFEST.defaults, seed });
    history.getState().redo();
    expect(settings.getState().values).toEqual({ ...MANIFEST.defaults, seed, gamma: 0.25 });
  });

  it("takes a slider's way and a sentence being typed for one change, up to a pause", async () => {
    const { settings, draft, history, later } = await opened();
    const { steps } = settings.getState().values;
    for (const typed of ["20", "21", "22"]) {
      settings.getState().enter("steps", typed);
      await later(100);
    }
    for (const typed of ["t", "th", "the"]) {
      draft.getState().setPrompt(typed);
      await later(100);
    }
    await later();
    draft.getState().setPrompt("the cat");
    await settled();
    expect(history.getState().past).toHaveLength(3);
    expect(history.getState().undo()).toBe("Prompt back to “the”.");
    expect(history.getState().undo()).toBe("Prompt back to nothing.");
    expect(history.getState().undo()).toBe(`Steps back to ${steps}.`);
    expect([draft.getState().prompt, settings.getState().values.steps]).toEqual(["", steps]);
  });

  it("has nothing to undo of what was changed and changed back at once", async () => {
    const { settings, history, later } = await opened();
    const { steps } = settings.getState().values;
    settings.getState().enter("steps", "20");
    await later(10);
    settings.getState().enter("steps", String(steps));
    await later();
    expect(history.getState().past).toEqual([]);
  });

  it("takes a preset back as one, with what was refused beside it gone", async () => {
    const { studio, settings, history, later } = await opened();
    const before = settings.getState().values;
    const preset = presetsFor(before, false).find(({ id }) => id === "ode");
    if (!preset) throw new Error("There is no such preset.");
    applyPreset(preset, studio.settings);
    await later();
    settings.getState().enter("steps", "0");
    expect(history.getState().undo()).toMatch(/^Back to steps \d+, sampler SDE/);
    expect(settings.getState()).toMatchObject({ values: before, refusals: {} });
  });

  it("takes held words back, and all that was adopted from a run as one", async () => {
    const { studio, draft, history, later } = await opened();
    draft.getState().hold([{ position: 1, token: 3, word: "cat" }]);
    await later();
    const run = runOf(["▁the ▁cat"], { id: "other" });
    const settings = { ...SETTINGS, seed: 77 };
    studio.runs.getState().add({ ...run, trajectory: { ...run.trajectory, model: MANIFEST.name, settings } }, true);
    perform(adoptRun, studio);
    await later();
    expect(draft.getState().held).toEqual([]);
    expect(history.getState().past).toHaveLength(2);
    expect(history.getState().undo()).toContain("held words cat");
    expect(draft.getState().held).toMatchObject([{ position: 1, word: "cat" }]);
    expect(history.getState().undo()).toBe("Held words back to none.");
  });

  it("leaves out the seed that a run draws for itself, and takes back one that was asked for", async () => {
    const { settings, history, later } = await opened();
    settings.getState().take();
    settings.getState().take();
    await later();
    expect(history.getState().past).toEqual([]);
    const { seed } = settings.getState().values;
    settings.getState().drawSeed();
    await later();
    expect(history.getState().undo()).toBe(`Seed back to ${seed}.`);
    expect(settings.getState().take().seed, "it is the next run's").toBe(seed);
    settings.getState().lockSeed(true);
    await later();
    expect(history.getState().undo()).toBe("Lock of the seed back to off.");
    expect(settings.getState().seedLocked).toBe(false);
  });

  it("goes neither back nor on to a seed that a run drew for itself: the next run draws its own", async () => {
    const { settings, history, later } = await opened();
    const { steps } = settings.getState().values;
    const seeds = new Set<number>();
    const write = async () => {
      seeds.add(settings.getState().take().seed);
      await later();
    };
    await write();
    settings.getState().enter("steps", "8");
    await later();
    await write();
    expect(history.getState().undo()).toBe(`Steps back to ${steps}.`);
    await later();
    await write();
    expect(history.getState().redo()).toBe("Steps again 8.");
    await later();
    await write();
    expect(seeds.size).toBe(4);
  });

  it("goes back to a seed that was typed, whatever a run has drawn since", async () => {
    const { settings, history, later } = await opened();
    settings.getState().enter("seed", "7");
    await later();
    expect(settings.getState().take().seed).toBe(7);
    settings.getState().enter("steps", "8");
    await later();
    settings.getState().take();
    await later();
    history.getState().undo();
    await later();
    history.getState().undo();
    await later();
    history.getState().redo();
    expect(settings.getState().values.seed).toBe(7);
  });

  it("is another one for each model", async () => {
    const { settings, draft, history, later } = await opened();
    const { steps } = settings.getState().values;
    settings.getState().enter("steps", "20");
    await later();
    const { defaults, maxLength } = settings.getState();
    const turnTo = async (name: string) => {
      draft.getState().turnTo(name);
      settings.getState().turnTo(name, { ...defaults }, maxLength);
      await later();
    };
    await turnTo("other");
    expect(history.getState().past).toEqual([]);
    settings.getState().enter("steps", "5");
    await later();
    await turnTo(MANIFEST.name);
    expect(settings.getState().values.steps).toBe(20);
    expect(history.getState().undo()).toBe(`Steps back to ${steps}.`);
    expect(history.getState().past).toEqual([]);
  });

  it("remembers a hundred changes and no more", async () => {
    const { settings, history, later } = await opened();
    for (let change = 0; change < 130; change++) {
      settings.getState().enter("steps", String(1 + (change % 7)));
      await later();
    }
    expect(history.getState().past).toHaveLength(100);
  });
});
