import { createStore, type StoreApi } from "zustand/vanilla";
import { isCancellation, type Problem, problemOf } from "../../../flow/errors";
import { framesOf } from "../../../flow/paths";
import { recipeOf } from "../../../flow/recipe";
import { endOf } from "../../../flow/tokens";
import type { Frame } from "../../../flow/trajectory";
import type { EngineClient } from "../../../worker/protocol";
import type { ModelStore } from "../models/model";
import type { ViewStore } from "../view";
import type { GenerationStore } from "../writing/generation";
import { type RunsStore, selectedRun } from "./runs";
import type { Run } from "./shelfRun";

/** Finds where the positions of runs were, for the lens that shows it: only runs that are looked at through it are asked for. */
export interface PathFindingStore {
  /** The run that is looked through now; null while none is. */
  readonly findingId: string | null;
  /** How far it has been written again, where its states are no longer remembered. */
  readonly recall: { readonly done: number; readonly total: number } | null;
  /** Why the paths of a run cannot be had, by its id: its recipe comes to another text here, or what went wrong. */
  readonly refused: ReadonlyMap<string, "another-text" | Problem>;

  /** Loads the chosen model if need be, then finds the paths of a run of it. Never rejects. */
  find(run: Run): Promise<void>;
}

export interface PathFindingParts {
  readonly engine: Pick<EngineClient, "paths" | "read">;
  readonly model: StoreApi<ModelStore>;
  readonly runs: StoreApi<RunsStore>;
  readonly generation: StoreApi<GenerationStore>;
  readonly view: StoreApi<ViewStore>;
  /** Called with a run that has its paths now. */
  readonly onFound: (run: Run) => void;
}

/** What a run lacks whose paths can be found. */
export function lacksPaths({ status, trajectory: { paths, frames } }: Run): boolean {
  return status !== "running" && frames.length > 0 && !(paths && framesOf(paths) >= frames.length);
}

export function createPathFinding(parts: PathFindingParts): StoreApi<PathFindingStore> {
  const { engine, model, runs, generation, view, onFound } = parts;
  let stop = new AbortController();

  const store = createStore<PathFindingStore>()((set, get) => {
    /** Whether what the recipe writes here is what the run is; only then are the paths found those of its words. */
    async function isTheSame(run: Run, signal: AbortSignal): Promise<boolean> {
      const { frames } = run.trajectory;
      const last = frames.at(-1) as Frame;
      let again: Frame | undefined;
      const hear: Parameters<EngineClient["read"]>[1] = (event) => {
        if (event.type === "frame") again = event.frame;
        else set({ recall: event });
      };
      await engine.read({ ...recipeOf(run.trajectory), steps: [last.step] }, hear, signal);
      const end = endOf(last.holds.tokens, run.eos);
      return signal.aborted || last.holds.tokens.slice(0, end).every((token, i) => token === again?.holds.tokens[i]);
    }

    const refuse = ({ id }: Run, why: "another-text" | Problem) =>
      set(({ refused }) => ({ refused: new Map([...refused, [id, why]]) }));

    return {
      findingId: null,
      recall: null,
      refused: new Map(),

      find: async (run) => {
        if (get().findingId !== null || !lacksPaths(run)) return;
        if (!model.getState().loaded) {
          const retry = { model: model.getState().name, bySettings: false, again: () => get().find(run) };
          await generation.getState().prepare({ retry });
        }
        const { loaded } = model.getState();
        if (!loaded || loaded.manifest.name !== run.trajectory.model || get().findingId !== null) return;
        stop = new AbortController();
        const { signal } = stop;
        set({ findingId: run.id, recall: null });
        try {
          const { trajectory } = run;
          // A model of the same name may have been stored or trained otherwise since.
          const isIt = await isTheSame(run, signal);
          if (!isIt) refuse(run, "another-text");
          const hear: Parameters<EngineClient["paths"]>[2] = (recall) => set({ recall });
          const paths = isIt ? await engine.paths(recipeOf(trajectory), trajectory.frames.length, hear, signal) : null;
          if (paths) runs.getState().addPaths(run.id, paths);
          const found = paths && runs.getState().runs.find(({ id }) => id === run.id);
          if (found) onFound(found);
        } catch (error) {
          // What was ended, or lost with the engine, can be asked for again.
          if (!isCancellation(error) && model.getState().status === "ready") refuse(run, problemOf(error));
        }
        set({ findingId: null, recall: null });
        look();
      },
    };
  });

  /** A run that the loaded model wrote just so is not waited to be asked about; it gives way when the person writes. */
  function look(): void {
    const { findingId, refused, find } = store.getState();
    const run = selectedRun(runs.getState());
    const { loaded } = model.getState();
    const isIdle = generation.getState().phase === "idle";
    const isLookedAt = view.getState().lens === "paths";
    if (findingId !== null) {
      if (!isIdle || !isLookedAt || run?.id !== findingId) stop.abort();
      return;
    }
    if (!run || !loaded || !isIdle || !isLookedAt || refused.has(run.id)) return;
    if (run.trajectory.model === loaded.manifest.name && run.backend === loaded.backend && lacksPaths(run)) {
      void find(run);
    }
  }

  for (const watched of [runs, model, generation, view]) watched.subscribe(look);
  return store;
}
