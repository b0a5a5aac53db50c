import { beforeEach, describe, expect, it } from "vitest";
import { frameOf, runOf } from "../../testing/runs";
import { createRuns, selectedRun } from "./runs";
import type { Run } from "./shelfRun";

let runs = createRuns();
const state = () => runs.getState();
const ids = () => state().runs.map(({ id }) => id);

beforeEach(() => {
  runs = createRuns();
  state().add(runOf(["▁the"], { id: "recorded", origin: "recorded", startedAt: 0 }));
  state().add(runOf(["▁the"], { id: "b", startedAt: 20 }));
  state().add(runOf(["▁the"], { id: "a", startedAt: 10 }));
});

describe("the shelf", () => {
  it("is ordered newest first, and leaves on the stage what stands there", () => {
    expect(ids()).toEqual(["b", "a", "recorded"]);
    expect(state().selectedId).toBe("recorded");
  });

  it("adds frames to one run only", () => {
    const before = state().runs[1];
    state().addFrames("b", [frameOf(1, 1, "▁cat")]);
    expect(state().runs[0]?.trajectory.frames).toHaveLength(2);
    expect(state().runs[1]).toBe(before);
  });

  it("selects only what is there", () => {
    state().select("a");
    state().select("gone");
    expect(selectedRun(state())?.id).toBe("a");
  });

  it("has one that cannot be shown on it, to be deleted, and never on the stage", () => {
    const broken = { ...runOf(["▁the"], { id: "broken", startedAt: 15 }), trajectory: {} } as Run;
    runs = createRuns();
    state().add(broken);
    expect(state().selectedId).toBeNull();
    state().add(runOf(["▁the"], { id: "b", startedAt: 20 }));
    state().add(runOf(["▁the"], { id: "a", startedAt: 10 }));
    expect(ids()).toEqual(["b", "broken", "a"]);
    state().select("broken");
    expect(state().selectedId).toBe("b");
    state().remove("b");
    expect(state().selectedId).toBe("a");
    state().discard("a");
    expect(state().selectedId).toBeNull();
    state().remove("broken");
    expect(ids()).toEqual([]);
  });

  it("shows a deleted run's neighbour, and brings the run back to the stage if asked", () => {
    state().select("a");
    state().remove("a");
    expect(ids()).toEqual(["b", "recorded"]);
    expect(state().selectedId).toBe("recorded");
    state().restore();
    expect(ids()).toEqual(["b", "a", "recorded"]);
    expect(state()).toMatchObject({ selectedId: "a", deleted: null });
  });

  it("is empty once all is deleted", () => {
    for (const id of ids()) state().remove(id);
    expect(state()).toMatchObject({ runs: [], selectedId: null });
  });

  it("does not delete a run that is being written", () => {
    state().change("b", { status: "running" });
    state().remove("b");
    expect(ids()).toContain("b");
  });
});
