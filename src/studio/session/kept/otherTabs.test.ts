import { describe, expect, it } from "vitest";
import { runOf } from "../../testing/runs";
import { MapArchive, testStudio } from "../../testing/studio";
import { createRuns } from "../runs/runs";
import { followTabs, type TabChannel, toldOf } from "./otherTabs";

/** Tabs in one room: each hears all others, at once. */
function room(size: number): TabChannel[] {
  const ears: ((event: { data: unknown }) => void)[][] = Array.from({ length: size }, () => []);
  return ears.map((own) => ({
    postMessage: (data) => {
      for (const others of ears) if (others !== own) for (const ear of others) ear({ data });
    },
    addEventListener: (_, ear) => own.push(ear),
  }));
}

/** Lets what was said be read. */
const heard = () => new Promise((resolve) => setTimeout(resolve));

function tabs() {
  const common = new MapArchive();
  return room(2).map((channel) => {
    const runs = createRuns();
    const archive = toldOf(common, channel);
    const ids = () => runs.getState().runs.map(({ id }) => id);
    /** What was heard to be kept, each with whether the shelf had it already. */
    const kept: [id: string, isThere: boolean][] = [];
    const gone: string[] = [];
    followTabs(runs, archive, channel, {
      kept: (id) => kept.push([id, ids().includes(id)]),
      gone: (id) => gone.push(id),
    });
    return { runs, archive, channel, ids, kept, gone };
  });
}

const run = (id: string, startedAt: number, words = ["▁the ▁cat"]) => ({ ...runOf(words), id, startedAt });

describe("the shelves of two tabs", () => {
  it("a run that one keeps is on the other's, in its place by age; the stage stays as it is", async () => {
    const [here, there] = tabs();
    there?.runs.getState().add(run("newest", 3));
    await here?.archive.save(run("old", 1));
    await here?.archive.save(run("new", 2));
    await heard();
    expect(there?.ids()).toEqual(["newest", "new", "old"]);
    expect(there?.runs.getState().selectedId).toBe("newest");
    expect(there?.kept, "its frames may be put away as soon as it comes").toEqual([
      ["old", false],
      ["new", false],
    ]);
  });

  it("it grows there while it is written here", async () => {
    const [here, there] = tabs();
    await here?.archive.save(run("a", 1, ["▁the ▁cat"]));
    await here?.archive.save(run("a", 1, ["▁the ▁cat", "▁the ▁sat"]));
    await heard();
    expect(there?.runs.getState().runs.map(({ trajectory }) => trajectory.frames.length)).toEqual([2]);
  });

  it("one deleted here goes there, and cannot be taken back there; the one on the stage stays", async () => {
    const [here, there] = tabs();
    for (const [id, at] of [
      ["a", 1],
      ["b", 2],
    ] as const)
      await here?.archive.save(run(id, at));
    await heard();
    there?.runs.getState().select("a");
    await here?.archive.remove("b");
    await here?.archive.remove("a");
    await heard();
    expect(there?.ids()).toEqual(["a"]);
    expect(there?.gone, "the frames of what stays are nowhere else now").toEqual(["b", "a"]);
    expect(there?.runs.getState().deleted).toBeNull();
  });

  it("a run that is written in a tab is nobody else's to change", async () => {
    const [here, there] = tabs();
    there?.runs.getState().add({ ...run("a", 1), status: "running" });
    there?.runs.getState().add(run("b", 2), true);
    await here?.archive.save(run("a", 1, ["▁the ▁cat", "▁the ▁sat"]));
    await here?.archive.remove("a");
    await heard();
    expect(there?.ids()).toEqual(["b", "a"]);
    expect(there?.runs.getState().runs[1]).toMatchObject({ status: "running" });
    expect(there?.kept).toEqual([]);
  });

  it("what is no news is not heard, and what was not kept is not told", async () => {
    const [here, there] = tabs();
    for (const news of [null, 7, "kept", {}, { kept: 1 }, { gone: {} }, { kept: "unknown" }]) {
      here?.channel.postMessage(news as never);
    }
    const full = toldOf(Object.assign(new MapArchive(), { save: async () => null }), here?.channel ?? null);
    expect(await full.save(run("a", 1))).toBeNull();
    await heard();
    expect(there?.ids()).toEqual([]);
  });

  it("a studio tells and hears", async () => {
    const archive = new MapArchive();
    const [one, two] = room(2).map((tabs) => testStudio({ archive, tabs }).studio);
    await Promise.all([one?.open(), two?.open()]);
    const kept = run("mine", 5);
    one?.runs.getState().add(kept);
    await one?.openFiles([]);
    one?.runs.getState().remove("mine");
    one?.runs.getState().restore();
    await heard();
    expect(two?.runs.getState().runs.map(({ id }) => id)).toContain("mine");
    one?.runs.getState().remove("mine");
    await heard();
    expect(two?.runs.getState().runs.map(({ id }) => id)).not.toContain("mine");
  });
});
