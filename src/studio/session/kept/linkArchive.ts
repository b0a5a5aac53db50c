import type { StoreApi } from "zustand/vanilla";
import type { RunsStore } from "../runs/runs";
import { RECORDED_RUN_ID, type Run } from "../runs/shelfRun";
import type { RunArchive } from "./archive";

/** A run deleted from the shelf goes from the archive too, when its frames are here; one taken back returns. */
export function linkArchive(runs: StoreApi<RunsStore>, archive: RunArchive, save: (run: Run) => Promise<void>): void {
  async function takeOut({ id, folded }: Run): Promise<void> {
    const whole = folded ? await archive.get(id) : null;
    if (whole) runs.getState().unfold(whole);
    // Taken back meanwhile, it is still there.
    if (!runs.getState().runs.some((run) => run.id === id)) await archive.remove(id);
  }
  runs.subscribe((now, before) => {
    if (now.deleted === before.deleted) return;
    if (now.deleted && now.deleted.id !== before.deleted?.id) void takeOut(now.deleted);
    const back = before.deleted && now.runs.find(({ id }) => id === before.deleted?.id);
    if (back && back.id !== RECORDED_RUN_ID) void save(back);
  });
}
