import { expect, it, vi } from "vitest";
import { isRead, unreadSteps } from "../../../flow/trajectory";
import { isComplete } from "../../../player/run/run";
import { settled } from "../../testing/fakeEngine";
import { type TestStudio, testStudio } from "../../testing/studio";
import { selectedRun } from "../runs/runs";
import type { Run } from "../runs/shelfRun";

/** A studio whose run of 8 steps has ended, with every fourth frame read, and the reads that `answer` lets go on. */
async function pacedRun() {
  const world = testStudio();
  const { studio, engine } = world;
  const waiting: (() => void)[] = [];
  engine.isSent = (step) => step % 4 === 0;
  engine.beforeRead = () => new Promise((go) => waiting.push(go));
  await studio.open();
  studio.settings.getState().enter("steps", "8");
  void studio.generation.getState().start();
  await engine.go(); // the load
  await engine.go(9);
  const answer = async (frames = 1) => {
    for (let i = 0; i < frames; i++) {
      waiting.shift()?.();
      await settled();
    }
  };
  return { ...world, answer };
}

const shown = ({ studio }: Pick<TestStudio, "studio">) => {
  const run = selectedRun(studio.runs.getState());
  if (!run) throw new Error("No run is shown.");
  return run;
};

it("reads what a paced run left out once it has ended, from the end on where it is looked at, and keeps it", async () => {
  const world = await pacedRun();
  const { engine, archive, studio, answer } = world;
  expect(engine.generated.at(-1)).toMatchObject({ frames: "paced" });
  expect(studio.generation.getState().phase).toBe("idle");
  expect(unreadSteps(shown(world).trajectory.frames)).toEqual([1, 2, 3, 5, 6, 7]);
  expect(isComplete(shown(world))).toBe(false);
  expect(engine.reads).toEqual([[7, 6, 5, 3]]);
  await answer(6);
  expect(engine.reads).toEqual([
    [7, 6, 5, 3],
    [2, 1],
  ]);
  await new Promise((go) => setTimeout(go, 60));
  await settled();
  expect(isComplete(shown(world))).toBe(true);
  expect(isComplete(archive.kept.get(shown(world).id) as ReturnType<typeof shown>)).toBe(true);
});

it.each([2, 5])("frame %i that is looked at comes first, and alone", async (looked) => {
  const { engine, studio, answer } = await pacedRun();
  expect(engine.reads[0]).toEqual([7, 6, 5, 3]);
  studio.player.playback.getState().seek(looked);
  await answer();
  expect(engine.reads[1]).toEqual([looked]);
  await answer(2);
  // Then its neighbours.
  expect(engine.reads[2]?.[0]).toBeOneOf([looked - 1, looked + 1]);
});

it("of a frame that is looked at, the reading that is shown is there first", async () => {
  const world = await pacedRun();
  const { engine, studio, answer } = world;
  studio.player.display.getState().switchReading();
  studio.player.playback.getState().seek(2);
  await answer();
  await answer();
  expect(engine.firsts.slice(0, 2)).toEqual([undefined, "expects"]);
  const { frames } = shown(world).trajectory;
  expect(isRead(frames, 2, "expects")).toBe(true);
  expect(isRead(frames, 2)).toBe(false);
  await answer();
  await vi.waitFor(() => expect(isRead(shown(world).trajectory.frames, 2)).toBe(true));
});

it("gives way to a run, and goes on after it", async () => {
  const { engine, studio, answer } = await pacedRun();
  void studio.generation.getState().start();
  await answer();
  expect(engine.reads).toHaveLength(1);
  await engine.go(9);
  expect(studio.generation.getState().phase).toBe("idle");
  expect(engine.reads).toHaveLength(2);
});

it("asks no more for a run that could not be read", async () => {
  const { engine, studio, answer } = await pacedRun();
  engine.beforeRead = () => Promise.reject(new Error("The device is gone."));
  await answer();
  expect(engine.reads).toHaveLength(1);
  studio.player.playback.getState().seek(2);
  await settled();
  expect(engine.reads).toHaveLength(1);
  expect(studio.generation.getState().problem).toBeNull();
});

it.each<[string, (run: Run) => Partial<Run>]>([
  ["other arithmetic wrote", () => ({ backend: "webgpu" })],
  ["a model of the same name with other words wrote", ({ pieces }) => ({ pieces: [...pieces.slice(1), "▁later"] })],
])("leaves a run alone that %s", async (_, change) => {
  const { engine, studio, answer } = await pacedRun();
  await answer(8);
  const before = engine.reads.length;
  const run = studio.runs.getState().runs[0];
  if (!run) throw new Error("There is no run.");
  const [first] = run.trajectory.frames;
  const frames = run.trajectory.frames.map(() => first as NonNullable<typeof first>);
  studio.runs
    .getState()
    .add({ ...run, ...change(run), id: "another's", trajectory: { ...run.trajectory, frames } }, true);
  await settled();
  expect(engine.reads).toHaveLength(before);
});
