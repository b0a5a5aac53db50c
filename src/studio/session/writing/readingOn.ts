import type { StoreApi } from "zustand/vanilla";
import { recipeOf } from "../../../flow/recipe";
import { isRead, unreadSteps } from "../../../flow/trajectory";
import type { Player } from "../../../player/createPlayer";
import type { EngineClient } from "../../../worker/protocol";
import type { ModelStore } from "../models/model";
import { type RunsStore, selectedRun } from "../runs/runs";
import type { Run } from "../runs/shelfRun";
import { createFrameBuffer } from "./frameBuffer";
import type { GenerationStore } from "./generation";

/** Frames asked for at once: neighbours are read from one state, and a press elsewhere waits for no more than these. */
const AT_ONCE = 4;

export interface ReadingOnParts {
  readonly engine: Pick<EngineClient, "read">;
  readonly model: StoreApi<ModelStore>;
  readonly runs: StoreApi<RunsStore>;
  readonly generation: StoreApi<GenerationStore>;
  readonly player: Player;
  /** Called with a run of which nothing is unread any more. */
  readonly onRead: (run: Run) => void;
}

/**
 * Reads the frames of the run on the stage that were left out while it was written (`paced`), while nothing else is asked
 * of the engine: those nearest to the time shown first. What has begun gives way when the person writes, or looks at a
 * frame that is not there yet.
 */
export function readOn({ engine, model, runs, generation, player, onRead }: ReadingOnParts): void {
  let reading: { readonly steps: readonly number[]; readonly stop: AbortController } | null = null;
  /** Runs that could not be read: once is enough. */
  const failed = new Set<string>();

  /** The run whose frames are to be read now; null while there is none, or the engine is wanted for something else. */
  function wanted(): Run | null {
    const run = selectedRun(runs.getState());
    const { loaded } = model.getState();
    if (!run || !loaded || run.status === "running" || generation.getState().phase !== "idle") return null;
    // Another model, or other arithmetic, would read another run.
    const isItsOwn = run.trajectory.model === loaded.manifest.name && run.backend === loaded.backend;
    return isItsOwn && !failed.has(run.id) ? run : null;
  }

  async function go(): Promise<void> {
    if (reading) return;
    const run = wanted();
    const steps = run ? nextOf(run) : [];
    if (!run || steps.length === 0) return;
    const stop = new AbortController();
    reading = { steps, stop };
    let came = 0;
    const buffer = createFrameBuffer((frames) => runs.getState().addFrames(run.id, frames));
    try {
      const hear: Parameters<EngineClient["read"]>[2] = (event) => {
        if (event.type !== "frame") return;
        came++;
        buffer.push(event.frame);
      };
      await engine.read(recipeOf(run.trajectory), steps, hear, stop.signal);
      if (came === 0 && !stop.signal.aborted) failed.add(run.id);
    } catch {
      // What was lost with it, a device say, is told of where a run needs it. This one stays as it was written.
      failed.add(run.id);
    }
    buffer.flush();
    reading = null;
    const now = runs.getState().runs.find(({ id }) => id === run.id);
    if (came > 0 && now && unreadSteps(now.trajectory.frames).length === 0) onRead(now);
    await go();
  }

  /** The frame shown where it is unread, alone; else the nearest ones. */
  function nextOf({ trajectory: { frames } }: Run): number[] {
    const { index } = player.playback.getState();
    const byNearness = unreadSteps(frames).sort((a, b) => Math.abs(a - index) - Math.abs(b - index));
    return byNearness[0] === index ? [index] : byNearness.slice(0, AT_ONCE);
  }

  /** Whether what is being read is still what should be. */
  function look(): void {
    const run = wanted();
    const { index } = player.playback.getState();
    const isMissed = run && !isRead(run.trajectory.frames, index);
    if (reading && (!run || (isMissed && !reading.steps.includes(index)))) reading.stop.abort();
    void go();
  }

  for (const store of [runs, model, generation, player.playback]) store.subscribe(look);
}
