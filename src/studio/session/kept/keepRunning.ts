import type { StoreApi } from "zustand/vanilla";
import { joinText } from "../../../player/run/pieces";
import { lastFrame } from "../../../player/run/run";
import type { RunsStore } from "../runs/runs";
import type { Run } from "../runs/shelfRun";

/** Milliseconds between two times that a run being written is kept. */
const EVERY = 1000;

/**
 * Keeps a run while it is written, so that a page that is reloaded or closed has its frames on the shelf again: as one
 * that was stopped where it had got to. Its end is kept by others.
 */
export function keepRunning(runs: StoreApi<RunsStore>, save: (run: Run) => Promise<void>, every = EVERY): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let kept: Run | undefined;
  runs.subscribe(() => {
    const run = running(runs);
    if (!run || run === kept || timer !== undefined) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        const now = running(runs);
        if (!now) return;
        kept = now;
        void save(stopped(now));
      },
      // The first frame is worth as much as any.
      run.id === kept?.id ? every : 0,
    );
  });
}

/** The run being written, once it has a frame of its own: a fork that never gets one is gone again. */
function running(runs: StoreApi<RunsStore>): Run | undefined {
  return runs
    .getState()
    .runs.find(
      ({ status, trajectory: { frames, from } }) => status === "running" && frames.length > (from ? from.step : 0),
    );
}

function stopped(run: Run): Run {
  const tokens = lastFrame(run)?.holds.tokens ?? new Int32Array();
  return { ...run, status: "cancelled", text: joinText(tokens, run.pieces, run.eos) };
}
