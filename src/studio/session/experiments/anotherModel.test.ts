import { describe, expect, it } from "vitest";
import { UnreachableError } from "../../../delivery/store/errors";
import type { Manifest } from "../../../format/manifest";
import { perform } from "../../actions/action";
import { tryAgain } from "../../actions/writing";
import { FakeEngine, MANIFEST, settled } from "../../testing/fakeEngine";
import { FakeLibrary } from "../../testing/fakeLibrary";
import { SETTINGS } from "../../testing/runs";
import { testStudio } from "../../testing/studio";
import { ENGLISH } from "../../words/english";
import { anotherModel } from "./anotherModel";
import { runsOf } from "./comparison";

const here = { ...MANIFEST, architecture: { ...MANIFEST.architecture, latentSize: 8 } };
const other: Manifest = {
  ...here,
  name: "student",
  title: "Student",
  defaults: { ...SETTINGS, steps: 2, gamma: 3, cfgScale: 2 },
};
const changed = (architecture: Partial<Manifest["architecture"]>): Manifest => ({
  ...other,
  architecture: { ...other.architecture, ...architecture },
});
const base = { settings: { ...SETTINGS, seed: 7 } };

describe("a run beside that of another model", () => {
  it("keeps noise, length and prompt, and takes all else from the model it is written by", () => {
    const [own, its] = anotherModel(here, other).variants(base);
    expect(own).toMatchObject({ recipe: base });
    expect(own?.label(ENGLISH)).toBe(`Test, ${SETTINGS.steps} steps`);
    expect(its?.model).toBe("student");
    // Without a prompt there is nothing to guide by.
    expect(its?.recipe).toEqual({ settings: { ...other.defaults, seed: 7, length: SETTINGS.length, cfgScale: 1 } });
    const prompted = anotherModel(here, other).variants({ ...base, prompt: { text: "A cat" } })[1];
    expect(prompted?.recipe.prompt).toEqual({ text: "A cat" });
    expect(prompted?.recipe.settings.cfgScale).toBe(2);
  });

  it.each([
    ["the same model", here, base, "two different models"],
    ["another latent width", changed({ latentSize: 16 }), base, "another width"],
    ["a shorter one", changed({ maxLength: 1 }), base, "1 tokens at most"],
    ["one without prompts", other, { ...base, prompt: { text: "A cat" } }, "takes no prompt"],
    ["one with prompts alone", changed({ maxInputLength: 4 }), base, "nothing without a prompt"],
    ["numbers for a prompt", changed({ maxInputLength: 4 }), { ...base, prompt: { ids: [3] } }, "prompt of words"],
    ["the noise of a text", other, { ...base, back: { ids: [3] } }, "noise of its seed"],
    ["a held word", other, { ...base, held: [{ position: 0, token: 3 }] }, "no word is held"],
  ])("cannot be had of %s", (_, model, recipe, why) => {
    expect(anotherModel(here, model).whyNot(recipe, ENGLISH)).toContain(why);
  });
});

/** An engine that loads what is asked for by its address. */
class TwoModels extends FakeEngine {
  override load(...[request, ...rest]: Parameters<FakeEngine["load"]>) {
    this.manifest = request.baseUrl.endsWith("student/") ? other : here;
    return super.load(request, ...rest);
  }
}

async function begun() {
  const library = new FakeLibrary();
  library.found.set("models/test/", here).set("models/student/", other);
  const engine = new TwoModels();
  const { studio } = testStudio({ library, engine, fetchShippedNames: async () => ["test", "student"] });
  studio.model.getState().describe(here);
  await studio.library.getState().refresh();
  const ended = studio.comparison.getState().begin(anotherModel(here, other), base);
  await settled();
  await engine.go(1 + SETTINGS.steps + 1);
  return { studio, engine, ended };
}

describe("the experiment", () => {
  it("loads the other model for its run, and comes back to the first", async () => {
    const { studio, engine, ended } = await begun();
    expect(studio.model.getState().name).toBe("student");
    expect(studio.comparison.getState().shown, "still shown").not.toBeNull();
    // The student, its run, and the first model again.
    await engine.go(1 + other.defaults.steps + 1 + 1);
    await ended;
    expect(engine.requests.map(({ baseUrl }) => baseUrl.split("/").at(-2))).toEqual(["test", "student", "test"]);
    expect(studio.model.getState()).toMatchObject({ name: "test", status: "ready" });
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: null });
    const { shown } = studio.comparison.getState();
    const written = shown && runsOf(shown, studio.runs.getState().runs);
    expect(written?.map((run) => [run?.trajectory.model, run?.status])).toEqual([
      ["test", "done"],
      ["student", "done"],
    ]);
    expect(engine.generated.map(({ frames }) => frames)).toEqual(["every", "every"]);
  });

  it("comes back to the first model when it is cancelled in the other's run", async () => {
    const { studio, engine, ended } = await begun();
    await engine.go(2);
    await studio.generation.getState().cancel();
    await settled();
    await engine.go();
    await ended;
    expect(studio.model.getState()).toMatchObject({ name: "test", status: "ready" });
    expect(studio.comparison.getState().shown).not.toBeNull();
  });

  it("leaves what is pressed during the other's run to be written, by the model that it was pressed with", async () => {
    const { studio, engine, ended } = await begun();
    await engine.go(2);
    const pressed = studio.generation.getState().start();
    await settled();
    await engine.go(other.defaults.steps + 1);
    await Promise.all([pressed, ended]);
    expect(studio.model.getState()).toMatchObject({ name: "student", status: "ready" });
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: null });
    expect(studio.runs.getState().runs.map(({ trajectory, status }) => [trajectory.model, status])).toEqual([
      ["student", "done"],
      ["student", "cancelled"],
      ["test", "done"],
    ]);
  });

  it("says what the other's run failed of when the first model is back, and tries the other again", async () => {
    const { studio, engine, ended } = await begun();
    await engine.go(1);
    engine.fault.generate = new UnreachableError("No connection.", "Check it.");
    await engine.go(2);
    engine.fault = {};
    await engine.go();
    await ended;
    expect(studio.model.getState()).toMatchObject({ name: "test", status: "ready" });
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: { code: "unreachable" } });
    perform(tryAgain, studio);
    await settled();
    expect(engine.requests.at(-1)?.baseUrl).toMatch(/student\/$/);
  });

  it("says which model is gone, and what to do", async () => {
    const { studio, engine, ended } = await begun();
    await studio.generation.getState().cancel();
    await settled();
    await engine.go();
    await ended;
    studio.library.setState({ models: [] });
    await expect(studio.comparison.getState().begin(anotherModel(here, other), base)).rejects.toThrow(
      "The model student is not on the shelf any more.",
    );
  });
});

it("a link to it is offered once the other model is known, and the run alone where it is not", async () => {
  const library = new FakeLibrary();
  library.found.set("models/test/", here).set("models/student/", other);
  const { studio } = testStudio({ library, fetchShippedNames: async () => ["test", "student"] });
  studio.model.getState().describe(here);
  const address = { model: "test", namesModel: true, recipe: base };
  studio.openLinked({ ...address, experiment: "model.student" });
  await settled();
  await settled();
  expect(studio.view.getState().linked?.experiment?.title(ENGLISH)).toBe("Test and Student");
  studio.openLinked({ ...address, experiment: "model.nobody" });
  await settled();
  await settled();
  expect(studio.view.getState().linked).toEqual({ model: "test", recipe: base });
});
