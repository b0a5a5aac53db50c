import type { StoreApi } from "zustand/vanilla";
import type { RunsStore } from "../runs/runs";
import { bytesOf, canBeShown, type Run } from "../runs/shelfRun";
import type { RunArchive } from "./archive";

/** Bytes of frames that the shelf holds at a time, but for those of runs that are shown, written, or kept nowhere else. */
const MOST_BYTES = 64e6;

export interface FoldingParts {
  readonly runs: StoreApi<RunsStore>;
  readonly archive: Pick<RunArchive, "get">;
  /** The runs that stand beside the one on the stage, and what says that they have changed. */
  readonly compared: () => readonly Run[];
  readonly comparison: Pick<StoreApi<unknown>, "subscribe">;
  /** Called with a folded run whose frames are no longer kept. */
  readonly onGone: (run: Run) => void;
  /** Called where the archive does not answer, though it has a run: a newer page in another tab may hold it. */
  readonly onSilent: () => void;
}

/** Frames of the shelf's runs, put away and had again. */
export interface Folding {
  /** Says that the archive has a run as it is now: from then on it may be folded. */
  kept(id: string): void;
  /** The archive has it no more. */
  gone(id: string): void;
  /** The runs with their frames, each had when it is asked for; those whose frames are gone are left out. The shelf stays as it is. */
  whole(runs: readonly Run[]): AsyncGenerator<Run, void>;
  /** Gives runs of the shelf their frames back. */
  unfold(runs: readonly Run[]): Promise<void>;
}

/**
 * Has the frames of those runs here that are looked at, and of as many others as there is room for, the ones looked at last first.
 * A shelf of a thousand runs has three hundred million bytes of them.
 */
export function createFolding(parts: FoldingParts, most = MOST_BYTES): Folding {
  const { runs, archive, compared, comparison, onGone, onSilent } = parts;
  const keptIds = new Set<string>();
  const coming = new Map<string, Promise<void>>();
  /** The places of runs in the order in which they were looked at. */
  const lookedAt = new Map<string, number>();
  let looks = 0;

  function shown(): readonly Run[] {
    const { runs: shelf, selectedId } = runs.getState();
    return [...shelf.filter(({ id }) => id === selectedId), ...compared()];
  }

  async function fetch({ id }: Run): Promise<void> {
    const whole = await archive.get(id);
    coming.delete(id);
    const here = runs.getState().runs.find((run) => run.id === id);
    if (whole) runs.getState().unfold(whole);
    else if (here?.folded && whole === null) onGone(here);
    else if (here?.folded) onSilent();
  }

  async function unfold(wanted: readonly Run[]): Promise<void> {
    const ids = new Set(wanted.map(({ id }) => id));
    await Promise.all(
      runs
        .getState()
        .runs.filter(({ id, folded }) => folded && ids.has(id))
        .map((run) => {
          const fetched = coming.get(run.id) ?? fetch(run);
          coming.set(run.id, fetched);
          return fetched;
        }),
    );
  }

  function look(): void {
    const inUse = shown();
    for (const { id } of inUse) {
      lookedAt.delete(id);
      lookedAt.set(id, looks++);
    }
    void unfold(inUse);
    const ids = new Set(inUse.map(({ id }) => id));
    const { runs: shelf } = runs.getState();
    const open = shelf.filter((run) => !run.folded && canBeShown(run));
    const byLook = open.toSorted((a, b) => (lookedAt.get(b.id) ?? -1) - (lookedAt.get(a.id) ?? -1));
    let bytes = 0;
    const surplus = byLook.filter((run) => {
      bytes += bytesOf(run);
      return bytes > most && keptIds.has(run.id) && !ids.has(run.id) && run.status !== "running";
    });
    if (surplus.length > 0) runs.getState().fold(new Set(surplus.map(({ id }) => id)));
  }

  runs.subscribe(look);
  comparison.subscribe(look);
  return {
    kept: (id) => void keptIds.add(id),
    gone: (id) => void keptIds.delete(id),
    unfold,
    whole: async function* (wanted) {
      for (const run of wanted) {
        const whole = run.folded ? await archive.get(run.id) : run;
        if (whole) yield whole;
      }
    },
  };
}
