import { createStore, type StoreApi } from "zustand/vanilla";
import { CancelledError, isCancellation, type Problem, problemOf } from "../../../flow/errors";
import { branchAt, type Recipe, recipeOf, rootOf } from "../../../flow/recipe";
import { unguided } from "../../../flow/settings";
import type { Frame } from "../../../flow/trajectory";
import { begunRun } from "../../../player/run/writtenRun";
import type { FrameChoice, LoadedModel, LoadProgress, LoadRequest, RunEvent } from "../../../run/api";
import { backendInWords } from "../../../runtime/backendInWords";
import type { EngineClient } from "../../../worker/protocol";
import type { ModelStore } from "../models/model";
import type { RunsStore } from "../runs/runs";
import type { Run } from "../runs/shelfRun";
import type { DraftStore } from "./draft";
import { createFrameBuffer } from "./frameBuffer";
import { promptOf } from "./prompt";
import type { SettingsStore } from "./settings";

/** What the Generate button does, from press to text. */
export interface GenerationStore {
  readonly phase: "idle" | "loading" | "running";
  /** Cancel was pressed and the engine has not stopped yet. */
  readonly cancelling: boolean;
  /** The run being written; null until its first frame. */
  readonly runId: string | null;
  readonly problem: Problem | null;
  /** What failed with `problem`, to be done once more; null where that would mend nothing. */
  readonly retry: Retry | "generate" | null;
  /** How far an earlier run has been written again, up to where a fork begins; null while none is. */
  readonly recall: { readonly done: number; readonly total: number } | null;

  /**
   * Loads the model if need be, then writes by the settings and the draft; a run under way ends for it and keeps its
   * frames. Does nothing while the model is on its way to a run already. Never rejects: what goes wrong becomes `problem`.
   */
  start(): Promise<void>;
  /** As `start`, but goes on from a frame of a run; length and prompt are that run's. */
  fork(run: Run, index: number): Promise<void>;
  /** As `start`, but writes what a recipe says and nothing else. */
  write(recipe: Recipe): Promise<void>;
  /**
   * As `write`, for several recipes, which may look at the model: on a GPU at once, as far as memory goes, else in turn. A
   * cancel ends them all. `desk` is where their runs lie, the shelf unless given; `frames` says how much of each is read
   * meanwhile, and `retry` what does it once more, where these runs are a part of something.
   */
  writeEach(
    recipes: (loaded: LoadedModel) => readonly Recipe[],
    how?: { readonly desk?: Desk; readonly frames?: FrameChoice; readonly retry?: Retry },
  ): Promise<void>;
  /**
   * Loads the chosen model and writes nothing; what goes on, a load of another model too, ends for it. One that is loaded
   * `beside` what went before leaves a problem of that to be seen; `retry` is as for `writeEach`. Never rejects.
   */
  prepare(how?: { readonly beside?: boolean; readonly retry?: Retry }): Promise<void>;
  cancel(): Promise<void>;
  raise(problem: Problem, retry?: Retry): void;
  dismiss(): void;
}

export interface GenerationParts {
  readonly engine: EngineClient;
  readonly backend: LoadRequest["backend"];
  readonly settings: StoreApi<SettingsStore>;
  readonly draft: StoreApi<DraftStore>;
  readonly model: StoreApi<ModelStore>;
  readonly runs: StoreApi<RunsStore>;
  readonly newId: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called with every generated run that has ended. */
  readonly onEnded: (run: Run) => void;
}

/** Something that failed and was no run by the settings alone: that of a link, a fork, an experiment, or a load alone. */
export interface Retry {
  /** Name of the model that it is for: by another it would be something else. */
  readonly model: string;
  /** Whether it is by the settings as they stand, too. */
  readonly bySettings: boolean;
  again(): Promise<void>;
}

/** Where runs lie while they are written. */
export interface Desk {
  /** A run begins; it has no frame yet. */
  lay(run: Run): void;
  addFrames(id: string, frames: readonly Frame[]): void;
  /** The first frame of the run is there: there is something to see. */
  show(id: string): void;
  /** The run has ended. One that never had a frame is gone. */
  end(id: string, change: Pick<Run, "status"> & Partial<Pick<Run, "text" | "seconds">>, isSeen: boolean): void;
}

/** What is to be written, and the frames of it that are here already; null where all are wanted from the engine. */
interface Order {
  readonly recipe: Recipe;
  readonly here: readonly Frame[] | null;
}

export function createGeneration(parts: GenerationParts): StoreApi<GenerationStore> {
  const { engine, backend, settings, draft, model, runs, newId, now, onEnded } = parts;

  return createStore<GenerationStore>()((set, get) => {
    /** What the newest press asked for; only that says what goes on. The newest wins: it ends the one before. */
    let newest = new AbortController();
    const begin = (isBeside = false) => {
      newest.abort();
      newest = new AbortController();
      const fresh = isBeside ? {} : { problem: null, retry: null };
      set({ phase: "loading", cancelling: false, runId: null, recall: null, ...fresh });
      return newest.signal;
    };
    const isNewest = (signal: AbortSignal) => signal === newest.signal;
    engine.onLost(() => {
      // Of a model that the visitor has turned from nothing is to be had again: it would write in the other's place.
      if (model.getState().loaded) model.getState().giveUp("lost");
    });
    // Whoever turns to another model does not wait for the one before, and hears nothing of what becomes of its load.
    model.subscribe(({ choice }, before) => choice !== before.choice && get().phase === "loading" && newest.abort());

    async function load(signal: AbortSignal): Promise<LoadedModel> {
      const { loaded, status, choice, begin, report, finish, giveUp } = model.getState();
      if (loaded) return loaded;
      // Turned to another model meanwhile: what becomes of this one is no news.
      const isWanted = () => model.getState().choice === choice;
      set({ phase: "loading" });
      begin();
      const onProgress = (progress: LoadProgress) => {
        if (isWanted()) report(progress, now() / 1000);
      };
      const { baseUrl, dtype, files } = choice;
      const request = { baseUrl, dtype: dtype ?? undefined, files, backend };
      try {
        const fresh = await (status === "lost"
          ? engine.restore(onProgress, signal)
          : engine.load(request, onProgress, signal));
        if (!isWanted()) throw new CancelledError();
        finish(fresh);
        settings.getState().learn(fresh.manifest.defaults, fresh.manifest.architecture.maxLength);
        return fresh;
      } catch (error) {
        if (isWanted()) giveUp(isCancellation(error) ? "recorded" : "error");
        throw error;
      }
    }

    /** After a fault that cost the engine its model: has it again, and says so beside what happened. */
    async function restore(fault: Problem, signal: AbortSignal): Promise<void> {
      set({ problem: { ...fault, action: "What was written is kept. The engine is being restored." } });
      try {
        const on = backendInWords(await load(signal));
        const action = `What was written is kept, and the engine was restored (${on}). Generate again.`;
        set({ problem: { ...fault, action } });
      } catch (error) {
        if (isCancellation(error)) set({ problem: fault });
        else set({ problem: { ...problemOf(error), message: `${fault.message} ${problemOf(error).message}` } });
      }
    }

    const shelf: Desk = {
      lay: (run) => runs.getState().add(run),
      addFrames: (id, frames) => runs.getState().addFrames(id, frames),
      show: (id) => runs.getState().select(id),
      end: (id, change, isSeen) => {
        runs.getState().change(id, change);
        const ended = runs.getState().runs.find((run) => run.id === id);
        if (!isSeen) runs.getState().discard(id);
        else if (ended) onEnded(ended);
      },
    };

    async function write(
      loaded: LoadedModel,
      { recipe, here }: Order,
      signal: AbortSignal,
      { desk = shelf, frames: choice = "paced" as FrameChoice, atOnce = false } = {},
    ): Promise<void> {
      const id = newId();
      const frames = createFrameBuffer((batch) => desk.addFrames(id, batch));
      let isSeen = false;
      const hear = (event: RunEvent) => {
        if (event.type === "start") {
          const { manifest, backend } = loaded;
          desk.lay({
            ...begunRun(id, loaded, recipe, event, here ?? []),
            origin: "generated",
            modelTitle: manifest.title,
            backend,
            seconds: null,
            startedAt: now(),
          });
        } else if (event.type === "recall") {
          if (isNewest(signal)) set({ recall: { done: event.done, total: event.total } });
        } else {
          if (!isSeen) {
            // It takes the stage when there is something to see.
            desk.show(id);
            if (isNewest(signal)) set({ runId: id, recall: null });
          }
          isSeen = true;
          frames.push(event.frame);
        }
      };
      const end = (change: Parameters<Desk["end"]>[1]) => {
        frames.flush();
        desk.end(id, change, isSeen);
      };
      try {
        const { status, text, seconds } = await engine.generate(
          { ...recipe, lead: here === null, frames: choice, ...(atOnce ? { atOnce } : {}) },
          hear,
          signal,
        );
        end({ status, text, seconds });
      } catch (error) {
        end({ status: isCancellation(error) ? "cancelled" : "failed" });
        throw error;
      }
    }

    /** Writes orders at once, each to its end. @throws what the first of them that failed did. */
    async function writeAtOnce(
      loaded: LoadedModel,
      orders: readonly Order[],
      signal: AbortSignal,
      how: Parameters<typeof write>[3],
    ): Promise<void> {
      const runs = orders.map((order) => write(loaded, order, signal, { ...how, atOnce: true }));
      const ends = await Promise.allSettled(runs);
      const faults = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
      if (faults.length > 0) throw faults.find((fault) => !isCancellation(fault)) ?? faults[0];
    }

    /** What presses once more, for the model chosen now. */
    const retryBy = (again: Retry["again"], bySettings = false): Retry => ({
      model: model.getState().name,
      bySettings,
      again,
    });

    /**
     * From press to idle, whatever goes wrong between. `orders` may look at the model, which then is there. What fails is
     * remembered as `retry`: the settings do not say what it was.
     */
    async function press(
      orders: (loaded: LoadedModel) => readonly Order[],
      retry: GenerationStore["retry"],
      how: Parameters<typeof write>[3] = {},
    ): Promise<void> {
      if (get().phase === "loading") return;
      const signal = begin();
      try {
        const loaded = await load(signal);
        // Cancelled just as the load ended.
        if (signal.aborted) return;
        const wanted = orders(loaded);
        set({ phase: "running" });
        if (wanted.length > 1 && loaded.backend === "webgpu") return await writeAtOnce(loaded, wanted, signal, how);
        for (const order of wanted) {
          if (signal.aborted) return;
          set({ runId: null });
          await write(loaded, order, signal, how);
        }
      } catch (error) {
        if (!isCancellation(error)) {
          const problem = problemOf(error);
          set({ problem, retry });
          if (isNewest(signal) && model.getState().status === "lost") await restore(problem, signal);
        }
      } finally {
        if (isNewest(signal)) set({ phase: "idle", cancelling: false, runId: null, recall: null });
      }
    }

    return {
      phase: "idle",
      cancelling: false,
      runId: null,
      problem: null,
      retry: null,
      recall: null,

      start: () =>
        press(({ manifest }) => {
          const prompt = promptOf(draft.getState(), manifest);
          const wanted = settings.getState().take();
          const recipe = { settings: prompt ? wanted : unguided(wanted), prompt, held: draft.getState().held };
          return [{ recipe: recipeOf(recipe), here: [] }];
        }, "generate"),
      fork: (run, index) =>
        press(
          () => {
            const { settings: before, frames } = run.trajectory;
            const wanted = { ...settings.getState().take(), length: before.length };
            const from = branchAt(run.trajectory, index);
            const prompted = rootOf(run.trajectory).prompt !== undefined;
            return [
              {
                recipe: recipeOf({ settings: prompted ? wanted : unguided(wanted), held: draft.getState().held, from }),
                here: frames.slice(0, index),
              },
            ];
          },
          retryBy(() => get().fork(run, index), true),
        ),
      write: (recipe) =>
        press(
          () => [{ recipe, here: null }],
          retryBy(() => get().write(recipe)),
        ),
      writeEach: (recipes, how = {}) =>
        press(
          (loaded) => recipes(loaded).map((recipe) => ({ recipe, here: null })),
          how.retry ?? retryBy(() => get().writeEach(recipes, how)),
          how,
        ),
      prepare: async ({ beside = false, retry = retryBy(() => get().prepare()) } = {}) => {
        const signal = begin(beside);
        try {
          await load(signal);
        } catch (error) {
          const isLeft = beside && get().problem !== null;
          if (!isCancellation(error) && isNewest(signal) && !isLeft) set({ problem: problemOf(error), retry });
        } finally {
          if (isNewest(signal)) set({ phase: "idle", cancelling: false, runId: null });
        }
      },
      cancel: async () => {
        if (get().phase === "idle") return;
        set({ cancelling: true });
        newest.abort();
      },
      raise: (problem, retry) => set({ problem, retry: retry ?? null }),
      dismiss: () => set({ problem: null, retry: null }),
    };
  });
}
