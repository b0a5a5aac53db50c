import { createStore, type StoreApi } from "zustand/vanilla";
import type { Paths } from "../../../flow/paths";
import type { Frame } from "../../../flow/trajectory";
import { grownRun } from "../../../player/run/writtenRun";
import { canBeShown, foldRun, type Run } from "./shelfRun";

/** The shelf: every run there is to look at, newest first, the recording last. */
export interface RunsStore {
  readonly runs: readonly Run[];
  /** Run on the stage; null while there is none that can be shown. */
  readonly selectedId: string | null;
  /** The run deleted last, for a change of mind. */
  readonly deleted: Run | null;

  /** Puts a run on the shelf by its age, and on the stage if `select`, or if nothing stands there and it can be shown. */
  add(run: Run, select?: boolean): void;
  change(id: string, change: Partial<Pick<Run, "status" | "text" | "seconds">>): void;
  addFrames(id: string, frames: readonly Frame[]): void;
  addPaths(id: string, paths: Paths): void;
  select(id: string): void;
  remove(id: string): void;
  /** Takes a run off the shelf that came to nothing. */
  discard(id: string): void;
  restore(): void;
  /** The deletion can no longer be taken back. */
  forget(): void;
  /** Puts the frames of these runs away; whoever asks for it has them elsewhere. */
  fold(ids: ReadonlySet<string>): void;
  /** Gives a folded run its frames back, on the shelf or just deleted from it. */
  unfold(whole: Run): void;
}

export function createRuns(): StoreApi<RunsStore> {
  return createStore<RunsStore>()((set, get) => {
    const update = (id: string, changed: (run: Run) => Run) =>
      set(({ runs }) => ({ runs: runs.map((run) => (run.id === id ? changed(run) : run)) }));
    return {
      runs: [],
      selectedId: null,
      deleted: null,

      add: (run, select = false) =>
        set(({ runs, selectedId }) => ({
          runs: [...runs.filter(({ id }) => id !== run.id), run].sort((a, b) => b.startedAt - a.startedAt),
          selectedId: select ? run.id : (selectedId ?? shownOf(run)),
        })),
      change: (id, change) => update(id, (run) => ({ ...run, ...change })),
      addFrames: (id, frames) => update(id, (run) => grownRun(run, frames)),
      addPaths: (id, paths) => update(id, (run) => ({ ...run, trajectory: { ...run.trajectory, paths } })),
      select: (id) =>
        set(({ runs, selectedId }) => ({ selectedId: shownOf(runs.find((run) => run.id === id)) ?? selectedId })),
      remove: (id) =>
        set(({ runs, selectedId, deleted }) => {
          const at = runs.findIndex((run) => run.id === id);
          const gone = runs[at];
          // A run being written has to be cancelled first; its frames would have nowhere to go.
          if (!gone || gone.status === "running") return { deleted };
          const left = runs.filter((run) => run.id !== id);
          const neighbour = shownOf(left[Math.min(at, left.length - 1)]) ?? shownOf(left.find(canBeShown));
          return { runs: left, deleted: gone, selectedId: selectedId === id ? neighbour : selectedId };
        }),
      discard: (id) =>
        set(({ runs, selectedId }) => {
          const left = runs.filter((run) => run.id !== id);
          return { runs: left, selectedId: selectedId === id ? shownOf(left.find(canBeShown)) : selectedId };
        }),
      restore: () => {
        const { deleted } = get();
        if (!deleted) return;
        get().add(deleted, true);
        set({ deleted: null });
      },
      forget: () => set({ deleted: null }),
      fold: (ids) => set(({ runs }) => ({ runs: runs.map((run) => (ids.has(run.id) ? foldRun(run) : run)) })),
      unfold: (whole) =>
        set(({ runs, deleted }) => {
          const isIt = (run: Run | null) => run?.id === whole.id && run.folded !== undefined;
          return { runs: runs.map((run) => (isIt(run) ? whole : run)), deleted: isIt(deleted) ? whole : deleted };
        }),
    };
  });
}

/** Its id, if it can stand on the stage. */
function shownOf(run: Run | undefined): string | null {
  return run && canBeShown(run) ? run.id : null;
}

/** The run on the stage; undefined while there is none, or its frames are on their way. */
export function selectedRun({ runs, selectedId }: RunsStore): Run | undefined {
  const run = runs.find(({ id }) => id === selectedId);
  return run?.folded ? undefined : run;
}
