import { describe, expect, it } from "vitest";
import { UnreachableError } from "../../delivery/store/errors";
import { CancelledError } from "../../flow/errors";
import { FakeEngine, MANIFEST, settled } from "../testing/fakeEngine";
import { FakeJudge, JUDGE_MANIFEST, TRANSLATOR_MANIFEST } from "../testing/fakeJudge";
import { runOf, SETTINGS } from "../testing/runs";
import { testStudio } from "../testing/studio";
import { ENGLISH } from "../words/english";
import { runsOf } from "./experiments/comparison";
import { race } from "./experiments/race";
import { judgedRuns } from "./judging";

const FRAMES = ["▁sat ▁sat", "▁the ▁sat", "▁the ▁cat", "▁the ▁cat"];

function withJudge() {
  const [judge, translator] = [new FakeJudge(), new FakeJudge(TRANSLATOR_MANIFEST)];
  const clients = [judge, translator];
  const engine = new FakeEngine();
  const { studio } = testStudio({ createJudge: () => clients.shift() ?? new FakeJudge(), engine });
  studio.model.getState().describe(MANIFEST);
  const put = (id: string, change: object = {}) => studio.runs.getState().add({ ...runOf(FRAMES, { id }), ...change });
  const { "stories-judge": stories, "translate-yardstick": translations } = studio.judges;
  return { studio, judge, translator, engine, put, judging: stories.getState, translating: translations.getState };
}

describe("the judge", () => {
  it("is asked for nothing before somebody wants it, and says what it takes", async () => {
    const { put, judge, judging } = withJudge();
    put("one");
    await settled();
    expect([judge.opened, judge.judged.length]).toEqual([0, 0]);
    await judging().look();
    expect(judging()).toMatchObject({ status: "away", bytes: 5_000_000, manifest: JUDGE_MANIFEST });
  });

  it("reads every whole run of the shelf once, and each that ends later", async () => {
    const { put, judge, judging, studio } = withJudge();
    put("one");
    put("begun", { status: "running" });
    await judging().fetch();
    await settled();
    expect([...judging().judgements.keys()]).toEqual(["one"]);
    put("two");
    studio.runs.getState().change("begun", { status: "done" });
    await settled();
    expect([...judging().judgements.keys()].sort()).toEqual(["begun", "one", "two"]);
    expect(judge.judged).toHaveLength(3);
    expect(
      judgedRuns(studio.runs.getState().runs, judging().judgements)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(["begun", "one", "two"]);
  });

  it("reads a text after the prompt that its model goes on from, and alone where the model answers it", async () => {
    const { put, judge, judging, studio } = withJudge();
    const prompt = { text: " Once upon " };
    put("one", { trajectory: { ...runOf(FRAMES).trajectory, prompt } });
    await judging().fetch();
    await settled();
    studio.model.getState().describe({ ...MANIFEST, architecture: { ...MANIFEST.architecture, sourceOptional: true } });
    put("two", { trajectory: { ...runOf(FRAMES).trajectory, prompt } });
    await settled();
    expect(judge.judged.map(({ source }) => source)).toEqual(["", "Once upon"]);
  });

  it("of translations reads those alone, each given what was translated, and none of a prompt of numbers", async () => {
    const { put, judge, translator, judging, translating } = withJudge();
    const translated = { ...runOf(FRAMES).trajectory, model: "my-de-en" };
    put("told");
    put("translated", { trajectory: { ...translated, prompt: { text: "Die Katze " } } });
    put("of numbers", { trajectory: { ...translated, prompt: { ids: [3, 4] } } });
    await Promise.all([judging().fetch(), translating().fetch()]);
    await settled();
    expect([...judging().judgements.keys()]).toEqual(["told"]);
    expect([...translating().judgements.keys()]).toEqual(["translated"]);
    expect([judge, translator].map(({ judged }) => judged.map(({ source }) => source))).toEqual([[""], ["Die Katze"]]);
  });

  it("that cannot be had says why and can be asked for again; a cancel is no problem", async () => {
    const { judge, judging } = withJudge();
    judge.fault = new UnreachableError("It is gone.", "Try again.");
    await judging().fetch();
    expect(judging()).toMatchObject({ status: "away", problem: { message: "It is gone." } });
    judge.fault = new CancelledError();
    await judging().fetch();
    expect(judging()).toMatchObject({ status: "away", problem: null });
    await judging().fetch();
    expect(judging().status).toBe("here");
  });

  it("that fails at a text is away again, and what it had said is kept", async () => {
    const { put, judge, judging } = withJudge();
    put("one");
    await judging().fetch();
    await settled();
    judge.fault = new Error("out of order");
    put("two");
    await settled();
    expect(judging().status).toBe("away");
    expect([...judging().judgements.keys()]).toEqual(["one"]);
  });
});

it("that comes already is not fetched once more by a race", async () => {
  const { judge, judging } = withJudge();
  const fetched = judging().fetch();
  expect(judging().status).toBe("coming");
  await judging().write({ settings: { ...SETTINGS, seed: 7 } }, "the cat");
  await fetched;
  expect([judge.opened, judging().status]).toEqual([1, "here"]);
});

describe("a race", () => {
  const base = { settings: { ...SETTINGS, seed: 7 } };

  it("lays what the judge wrote beside the flow's run, from the first word of that one, and plays both by the clock", async () => {
    const { studio, engine, judge } = withJudge();
    const ended = studio.comparison.getState().begin(race(MANIFEST), base);
    await settled();
    await engine.go(1 + SETTINGS.steps + 1);
    await ended;
    const { shown, laid } = studio.comparison.getState();
    const written = shown && runsOf(shown, [...laid, ...studio.runs.getState().runs]);
    expect(written?.map((run) => run?.trajectory.model)).toEqual(["test", "stories-judge"]);
    expect(judge.written).toEqual([{ source: written?.[0]?.text.split(" ")[0], seed: 7, length: SETTINGS.length }]);
    expect(written?.[1]).toMatchObject({ status: "done", seconds: 2, text: `${judge.written[0]?.source} sat on` });
    expect(written?.[1]?.trajectory.frames).toHaveLength(3);
    // On no shelf: it is no run of a flow.
    expect(studio.runs.getState().runs.every(({ trajectory }) => trajectory.model === "test")).toBe(true);
    expect(shown?.origin?.experiment.isByClock).toBe(true);
    await studio.comparison.getState().begin(race(MANIFEST), base);
    expect(judge.written).toHaveLength(1);
  });

  it("says what went wrong with the judge, and leaves the flow's run", async () => {
    const { studio, engine, judge } = withJudge();
    judge.fault = new UnreachableError("It is gone.", "Try again.");
    const ended = studio.comparison.getState().begin(race(MANIFEST), base);
    await settled();
    await engine.go(1 + SETTINGS.steps + 1);
    await ended;
    expect(studio.generation.getState().problem?.message).toBe("It is gone.");
    expect(studio.comparison.getState().laid).toEqual([]);
  });

  it.each([
    ["a held word", { ...base, held: [{ position: 0, token: 3 }] }, "no word is held"],
    ["the noise of a text", { ...base, back: { ids: [3] } }, "noise of its seed"],
    ["numbers for a prompt", { ...base, prompt: { ids: [3] } }, "prompt of words"],
    ["a prompt that is answered", { ...base, prompt: { text: "Ein Hund" } }, "answers its prompt"],
  ])("is not to be had of %s", (_, recipe, why) => {
    expect(race(MANIFEST).whyNot(recipe, ENGLISH)).toContain(why);
    expect(race(MANIFEST).whyNot(base, ENGLISH)).toBeNull();
  });

  it("of translators is run with the one that ships, and takes a sentence", () => {
    const translation = race({ ...MANIFEST, name: "ELF-B-de-en" });
    const prompted = { ...base, prompt: { text: "Ein Hund" } };
    expect(translation.whyNot(prompted, ENGLISH)).toBeNull();
    expect(translation.whyNot(base, ENGLISH)).toContain("with a prompt");
    expect(translation.whyNot({ ...base, prompt: { ids: [3] } }, ENGLISH)).toContain("prompt of words");
    expect(translation.variants(prompted).map(({ model, byJudge }) => byJudge && model)).toEqual([
      undefined,
      "translate-yardstick",
    ]);
    expect(translation.about(ENGLISH)).not.toBe(race(MANIFEST).about(ENGLISH));
  });

  it("of translators shows what the one that ships makes of the prompt", async () => {
    const { studio, engine, judge, translator } = withJudge();
    const here = { ...MANIFEST, name: "to-de-en", task: "conditional" as const };
    studio.model.getState().describe(here);
    const prompted = { ...base, prompt: { text: "Ein Hund" } };
    const ended = studio.comparison.getState().begin(race(here), prompted);
    await settled();
    await engine.go(1 + SETTINGS.steps + 1);
    await ended;
    expect([judge.written.length, translator.written]).toEqual([
      0,
      [{ source: "Ein Hund", seed: 7, length: SETTINGS.length }],
    ]);
    expect(studio.comparison.getState().laid.map(({ text }) => text)).toEqual(["sat on"]);
  });
});
