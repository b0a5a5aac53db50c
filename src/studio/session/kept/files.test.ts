import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { recipeOf } from "../../../flow/recipe";
import { linkTo } from "../../../format/link";
import { drawingOf } from "../../../player/export/drawing";
import { svgOf } from "../../../player/export/svg";
import { runOf } from "../../testing/runs";
import { testStudio } from "../../testing/studio";
import type { Run } from "../runs/shelfRun";
import { mayBeRun } from "./fileNames";
import { openFile, runAsFile, shelfAsFiles } from "./files";

const run = runOf(["▁the ▁cat", "▁the ▁sat"], { text: "the sat" });
const blob = (text: string) => new Blob([text]);
const picture = (model = run.trajectory.model) =>
  blob(
    svgOf(
      drawingOf({
        run: { ...run, trajectory: { ...run.trajectory, model } },
        index: 1,
        recipe: linkTo(recipeOf(run.trajectory)).slice(1),
      }),
    ),
  );

const seeded = (seed: number): Run => ({
  ...run,
  id: `seed ${seed}`,
  trajectory: { ...run.trajectory, settings: { ...run.trajectory.settings, seed } },
});
const other = seeded(99);
const seedsOf = (runs: readonly Run[]) => runs.map(({ trajectory }) => trajectory.settings.seed);

async function opened(...files: Blob[]) {
  // It all happens within a millisecond.
  const test = testStudio({ now: () => 1000 });
  await test.studio.openFiles(files);
  return { ...test, state: test.studio.runs.getState(), problem: test.studio.generation.getState().problem };
}

/** The runs as files of a shelf. */
async function shelfOf(runs: readonly Run[], most?: number): Promise<Blob[]> {
  const all = async function* () {
    yield* runs;
  };
  const files: Blob[] = [];
  for await (const { blob } of shelfAsFiles(all(), most ? { most } : {})) files.push(blob);
  return files;
}

describe("a run that was saved", () => {
  it("comes back to the shelf and the stage, and is kept", async () => {
    const { state, problem, archive } = await opened(blob(runAsFile(run)));
    expect(problem).toBeNull();
    expect(state.runs).toHaveLength(1);
    expect(state.runs[0]).toMatchObject({ origin: "opened", status: "done", text: "the sat", modelTitle: "Test" });
    expect(recipeOf(state.runs[0]?.trajectory as typeof run.trajectory)).toEqual(recipeOf(run.trajectory));
    expect(state.selectedId).toBe(state.runs[0]?.id);
    expect(archive.kept.size).toBe(1);
  });

  it("is not put there twice", async () => {
    const { state } = await opened(blob(runAsFile(run)), blob(runAsFile(run)), ...(await shelfOf([other, run])));
    expect(state.runs.map(({ trajectory }) => trajectory.settings.seed).sort()).toEqual(
      [run.trajectory.settings.seed, 99].sort(),
    );
  });

  it("is not put there twice where it was stopped, unless more of it comes", async () => {
    const stopped = (steps: number): Run => ({
      ...run,
      status: "cancelled",
      trajectory: { ...long.trajectory, frames: long.trajectory.frames.slice(0, steps + 1) },
    });
    const long = runOf(["▁sat ▁sat", "▁the ▁sat", "▁the ▁cat", "▁the ▁cat"]);
    const files = [1, 1, 0, 2, 2].map((steps) => blob(runAsFile(stopped(steps))));
    const { state } = await opened(...files);
    expect(state.runs.map(({ status, trajectory }) => [status, trajectory.frames.length])).toEqual([
      ["cancelled", 3],
      ["cancelled", 2],
    ]);
  });

  it("comes in a second file where one would be too large to be opened", async () => {
    const size = new Blob([runAsFile(run)]).size;
    const files = await shelfOf([other, run, other], 2.2 * size);
    expect(files).toHaveLength(2);
    const { state, problem } = await opened(...files);
    expect(problem).toBeNull();
    expect(state.runs).toHaveLength(2);
  });

  it("stays, with those around it, where another one of the file is damaged", async () => {
    for (const damaged of [0, 1, 2]) {
      const [file] = await shelfOf([3, 2, 1].map(seeded));
      const shelf = JSON.parse((await file?.text()) ?? "");
      shelf.runs[damaged].model = 5;
      const { state, problem } = await opened(blob(JSON.stringify(shelf)));
      expect(problem?.code).toBe("trace");
      expect(seedsOf(state.runs)).toEqual([3, 2, 1].filter((_, i) => i !== damaged));
      expect(state.selectedId).toBe(state.runs[0]?.id);
    }
  });

  it("comes back in its place on the shelf, and the newest onto the stage", async () => {
    const { state, studio } = await opened(...(await shelfOf([4, 3, 2, 1].map(seeded))));
    expect(seedsOf(state.runs)).toEqual([4, 3, 2, 1]);
    expect(state.selectedId).toBe(state.runs[0]?.id);
    await studio.openFiles([blob(runAsFile(other))]);
    expect(seedsOf(studio.runs.getState().runs)).toEqual([99, 4, 3, 2, 1]);
  });

  it("opens though it was recorded by the command", async () => {
    const file = await openFile(blob(readFileSync("public/traces/stories.json", "utf8")));
    expect("runs" in file && file.runs.map((read) => read())).toMatchObject([{ trajectory: { model: "stories" } }]);
  });
});

describe("a picture of a run", () => {
  it("offers the run, and shows it where it is on the shelf", async () => {
    const { studio, problem } = await opened(picture());
    expect(problem).toBeNull();
    expect(studio.view.getState().linked).toEqual({ model: "test", recipe: recipeOf(run.trajectory) });
    studio.view.getState().offer(null);
    await studio.openFiles([blob(runAsFile(run)), picture()]);
    expect(studio.view.getState().linked).toBeNull();
    expect(studio.runs.getState().selectedId).toBe(studio.runs.getState().runs[0]?.id);
  });

  it("of another model says which", async () => {
    const { studio } = await opened(picture("stranger"));
    expect(studio.view.getState()).toMatchObject({ linked: null, said: expect.stringContaining("a run by stranger") });
  });
});

it.each<[string, string, string]>([
  ["a text", "Once upon a time", "run-file"],
  ["a cut run", runAsFile(run).slice(0, 200), "trace"],
  ["other JSON", '{"a":1}', "trace"],
  ["a shelf with something else on it", '{"elf-playground-shelf":1,"runs":[{"a":1}]}', "trace"],
  ["a picture of somebody else", "<svg><metadata>{}</metadata></svg>", "run-file"],
  [
    "a picture with half a note",
    '<svg><metadata>{"elf-playground":1,"model":"test","recipe":"run="}</metadata></svg>',
    "run-file",
  ],
])("%s is refused by name, and nothing is lost", async (_, text, code) => {
  const { state, problem } = await opened(blob(text), blob(runAsFile(run)));
  expect(problem).toMatchObject({ code });
  expect(problem?.action).toBeTruthy();
  expect(state.runs, "the next file is opened all the same").toHaveLength(1);
});

it("files of models are told from runs by their names", () => {
  expect(["stories.json", "a.PNG", "b.gif", "x/y.svg"].filter(mayBeRun)).toHaveLength(4);
  const ofModels = [
    "manifest.json",
    "model/manifest.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "onnx/weights.json",
    "a.bin",
  ];
  expect(ofModels.filter(mayBeRun)).toEqual([]);
});
