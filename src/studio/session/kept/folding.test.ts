import { expect, it, vi } from "vitest";
import { createStore } from "zustand/vanilla";
import { runOf } from "../../testing/runs";
import { MapArchive, testStudio } from "../../testing/studio";
import { createRuns, selectedRun } from "../runs/runs";
import { bytesOf, foldRun, type Run } from "../runs/shelfRun";
import { runAsFile } from "./files";
import { createFolding } from "./folding";
import type { TabChannel } from "./otherTabs";

const FRAMES = ["▁sat ▁sat", "▁the ▁sat", "▁the ▁cat", "▁the ▁cat"];
const one = (id: string, startedAt: number): Run =>
  runOf(FRAMES, { id, startedAt, trajectory: { ...runOf(FRAMES).trajectory } });
const SIZE = bytesOf(one("any", 0));

/** A shelf with room for the frames of two runs that nobody looks at. */
function shelfOf(ids: readonly string[], kept: readonly string[] = ids) {
  const runs = createRuns();
  const archive = new MapArchive();
  const comparison = createStore(() => ({ runs: [] as readonly Run[] }));
  const gone: string[] = [];
  const folding = createFolding(
    {
      ...{ runs, archive, comparison, compared: () => comparison.getState().runs },
      onGone: ({ id }) => gone.push(id),
      onSilent: () => gone.push("nobody"),
    },
    3 * SIZE,
  );
  for (const [i, id] of ids.entries()) {
    const run = one(id, i);
    if (kept.includes(id)) {
      archive.kept.set(id, run);
      folding.kept(id);
    }
    runs.getState().add(run);
  }
  const folded = () =>
    runs
      .getState()
      .runs.filter((run) => run.folded)
      .map(({ id }) => id)
      .sort();
  const lookAt = async (...ids: readonly string[]) => {
    for (const id of ids) {
      runs.getState().select(id);
      await vi.waitFor(() => expect(selectedRun(runs.getState())?.id).toBe(id));
    }
  };
  return { runs, archive, comparison, folding, gone, folded, lookAt };
}

it("folds what is kept when there is too much of it, and what was looked at longest ago first", async () => {
  const { runs, folded, lookAt } = shelfOf(["a", "b", "c", "d", "e"]);
  expect(runs.getState().selectedId).toBe("a");
  expect(folded()).toHaveLength(2);
  expect(folded()).not.toContain("a");
  await lookAt("b", "c", "d");
  expect(folded()).toEqual(["a", "e"]);
});

it("leaves alone what was deleted in another tab while it stood on this one's stage", async () => {
  const { folding, folded, lookAt } = shelfOf(["a", "b", "c", "d", "e"]);
  folding.gone("a");
  await lookAt("b", "c", "d");
  expect(folded()).not.toContain("a");
});

it("leaves alone what had to go for a newer run", async () => {
  const archive = new MapArchive();
  archive.kept.set("old", one("old", 1));
  archive.save = async (run) => {
    archive.kept.set(run.id, run);
    return archive.kept.delete("old") ? ["old"] : [];
  };
  const { studio } = testStudio({ archive });
  await studio.open();
  studio.runs.getState().select("old");
  await vi.waitFor(() => expect(selectedRun(studio.runs.getState())?.id).toBe("old"));
  const [large] = runOf(["▁the"]).trajectory.frames;
  if (!large) throw new Error("There is no frame.");
  const holds = { ...large.holds, topTokens: new Int32Array(10e6) };
  const trajectory = { ...one("large", 2).trajectory, frames: [{ ...large, holds }] };
  studio.runs.getState().add(runOf([], { id: "large", startedAt: 2, trajectory }));
  await studio.openFiles([new Blob([runAsFile(runOf(["▁the", "▁cat"]))])]);
  expect([...archive.kept.keys()]).not.toContain("old");
  studio.runs.getState().select("large");
  const folded = studio.runs.getState().runs.filter((run) => run.folded);
  expect(folded.map(({ origin }) => origin)).toEqual(["opened"]);
});

it("leaves alone what is kept nowhere, is written, or stands beside the one shown", () => {
  const { runs, comparison, folded } = shelfOf(["a", "b", "c", "d", "e", "f"], ["a", "b", "c", "e"]);
  // d and f are kept nowhere.
  expect(folded().every((id) => ["b", "c", "e"].includes(id))).toBe(true);
  const { runs: shelf } = runs.getState();
  comparison.setState({ runs: shelf.filter(({ id }) => ["a", "e"].includes(id)) });
  runs.getState().change("c", { status: "running" });
  runs.getState().add({ ...one("g", 9), status: "running" });
  expect(folded()).not.toContain("g");
});

it("gives a run its frames back when it is selected, or laid beside another", async () => {
  const { runs, archive, comparison, folded } = shelfOf(["a", "b", "c", "d", "e"]);
  const [first, second] = folded();
  runs.getState().select(first as string);
  expect(runs.getState().selectedId).toBe(first);
  expect(selectedRun(runs.getState())).toBeUndefined();
  await vi.waitFor(() => expect(selectedRun(runs.getState())).toEqual(archive.kept.get(first as string)));
  comparison.setState({ runs: runs.getState().runs.filter(({ id }) => id === second) });
  await vi.waitFor(() => expect(folded()).not.toContain(second));
});

it("tells of a run whose frames are gone", async () => {
  const { runs, archive, gone, folded } = shelfOf(["a", "b", "c", "d", "e"]);
  const [lost] = folded();
  archive.kept.delete(lost as string);
  runs.getState().select(lost as string);
  await vi.waitFor(() => expect(gone).toEqual([lost]));
});

it("leaves a run on the shelf of which the archive says nothing", async () => {
  const { runs, archive, gone, folded } = shelfOf(["a", "b", "c", "d", "e"]);
  const [held] = folded();
  archive.get = async () => undefined;
  runs.getState().select(held as string);
  await vi.waitFor(() => expect(gone).toEqual(["nobody"]));
  expect(folded()).toContain(held);
});

it("has all of them whole, one after another, and leaves the shelf as it is", async () => {
  const { runs, archive, folding, folded } = shelfOf(["a", "b", "c", "d", "e"]);
  const before = folded();
  archive.kept.delete(before[0] as string);
  const whole: Run[] = [];
  for await (const run of folding.whole(runs.getState().runs)) whole.push(run);
  expect(whole.map(({ id, folded }) => [id, folded])).toEqual(
    ["e", "d", "c", "b", "a"].filter((id) => id !== before[0]).map((id) => [id, undefined]),
  );
  expect(folded()).toEqual(before);
});

it("a folded run tells what its card shows, and what it takes", () => {
  const run = one("a", 1);
  const folded = foldRun(run);
  expect(folded.folded).toEqual({
    frames: 4,
    bytes: SIZE,
    settling: { words: 2, wordsByFrame: [0, 1, 2, 2] },
  });
  expect(bytesOf(folded)).toBe(SIZE);
  expect(foldRun(folded)).toBe(folded);
});

it("a studio opens with folded runs, deletes one whole, and brings it back whole", async () => {
  const { studio, archive } = testStudio();
  archive.kept.set("mine", { ...one("mine", 5), text: "the cat" });
  await studio.open();
  const mine = () => studio.runs.getState().runs.find(({ id }) => id === "mine");
  expect(mine()?.folded).toMatchObject({ frames: 4 });
  studio.runs.getState().remove("mine");
  await vi.waitFor(() => expect(archive.kept.has("mine")).toBe(false));
  studio.runs.getState().restore();
  await vi.waitFor(() => expect(archive.kept.get("mine")?.trajectory.frames).toHaveLength(4));
  expect(selectedRun(studio.runs.getState())?.id).toBe("mine");
});

it("a studio offers to write a run again whose frames the browser has lost, and shows the others on", async () => {
  const { studio, archive } = testStudio();
  archive.kept.set("mine", one("mine", 5));
  await studio.open();
  archive.kept.clear();
  studio.runs.getState().select("mine");
  await vi.waitFor(() => expect(studio.view.getState().said).toContain("keeps that run no longer"));
  expect(studio.view.getState().linked).toMatchObject({ recipe: { settings: one("mine", 5).trajectory.settings } });
  expect(studio.runs.getState().runs.map(({ id }) => id)).toEqual(["recorded"]);
  expect(studio.player.run.getState()?.id).toBe("recorded");
});

it("a studio puts away the frames of what other tabs keep, where there is too much of it", async () => {
  const room = new EventTarget();
  const tell = (id: string) => room.dispatchEvent(new MessageEvent("message", { data: { kept: id } }));
  const tabs = { postMessage: () => {}, addEventListener: room.addEventListener.bind(room) } as unknown as TabChannel;
  const { studio, archive } = testStudio({ tabs });
  await studio.open();
  for (const id of ["a", "b"]) {
    archive.kept.set(id, large(id));
    tell(id);
  }
  const foldedOf = () => studio.runs.getState().runs.flatMap(({ id, folded }) => (folded ? [id] : []));
  await vi.waitFor(() => expect(foldedOf()).toEqual(["b"]));
  studio.runs.getState().select("b");
  await vi.waitFor(() => expect(foldedOf()).toEqual(["a"]));
});

/** A run of which the shelf has room for one, though it has a single frame. */
function large(id: string): Run {
  const { trajectory, ...run } = one(id, 5);
  const frames = trajectory.frames.slice(0, 1).map((frame) => {
    const holds = { ...frame.holds, topProbabilities: new Float32Array(5e6) };
    return { ...frame, holds };
  });
  return { ...run, trajectory: { ...trajectory, frames } };
}
