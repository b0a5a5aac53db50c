import type { StoreApi } from "zustand/vanilla";
import { recipeOf } from "../../../flow/recipe";
import { frameAt, isRead, unreadSteps } from "../../../flow/trajectory";
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
  /** What says which runs stand beside the one on the stage, where any do. */
  readonly comparison: Pick<StoreApi<unknown>, "subscribe">;
  readonly compared: () => readonly Run[];
  /** Called with a run of which nothing is unread any more. */
  readonly onRead: (run: Run) => void;
}

/**
 * Reads the frames of the run on the stage, and of those beside it, that were left out while it was written (`paced`), while nothing else is asked
 * of the engine: those nearest to the time shown first. What has begun gives way when the person writes, or looks at a
 * frame that is not there yet.
 */
export function readOn(parts: ReadingOnParts): void {
  const { engine, model, runs, generation, player, comparison, compared, onRead } = parts;
  let reading: { readonly steps: readonly number[]; readonly stop: AbortController } | null = null;
  /** Runs that could not be read: once is enough. */
  const failed = new Set<string>();

  /** The run whose frames are to be read now; null while there is none, or the engine is wanted for something else. */
  function wanted(): Run | null {
    const { loaded } = model.getState();
    if (!loaded || generation.getState().phase !== "idle") return null;
    const canBeRead = ({ id, status, trajectory, backend, pieces }: Run) =>
      status !== "running" &&
      // Another model, or other arithmetic, would read another run.
      trajectory.model === loaded.manifest.name &&
      backend === loaded.backend &&
      !failed.has(id) &&
      unreadSteps(trajectory.frames).length > 0 &&
      // Nor is a model the same by its name alone: a later one may have taken it, with words of its own.
      pieces.every((piece, token) => piece === "" || piece === loaded.pieces[token]);
    const shown = selectedRun(runs.getState());
    return [...(shown ? [shown] : []), ...compared()].find(canBeRead) ?? null;
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
      const hear: Parameters<EngineClient["read"]>[1] = (event) => {
        if (event.type !== "frame") return;
        if (!event.frame.awaits) came++;
        buffer.push(event.frame);
      };
      // Of a frame that is looked at, what is looked at comes first.
      const first = steps[0] === shownFrame(run) ? { first: player.display.getState().reading } : {};
      await engine.read({ ...recipeOf(run.trajectory), steps, ...first }, hear, stop.signal);
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

  /** The frame of the run that stands at the time shown. */
  function shownFrame({ id, trajectory: { times } }: Run): number {
    const { index } = player.playback.getState();
    const leader = player.run.getState();
    return !leader || leader.id === id ? index : frameAt(times, leader.trajectory.times[index] ?? 1);
  }

  /** The frame shown where it is unread, alone; else the nearest ones. */
  function nextOf(run: Run): number[] {
    const { frames } = run.trajectory;
    const index = shownFrame(run);
    const byNearness = unreadSteps(frames).sort((a, b) => Math.abs(a - index) - Math.abs(b - index));
    return byNearness[0] === index ? [index] : byNearness.slice(0, AT_ONCE);
  }

  /** Whether what is being read is still what should be. */
  function look(): void {
    const run = wanted();
    const index = run ? shownFrame(run) : 0;
    const isMissed = run && !isRead(run.trajectory.frames, index);
    // One of several would wait for those before it: the frame shown is read alone.
    const isItsTurn = reading?.steps.length === 1 && reading.steps[0] === index;
    if (reading && (!run || (isMissed && !isItsTurn))) reading.stop.abort();
    void go();
  }

  for (const store of [runs, model, generation, comparison, player.playback]) store.subscribe(look);
}
