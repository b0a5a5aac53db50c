import { createStore, type StoreApi } from "zustand/vanilla";
import type { EngineClient, LoadedModel, LoadProgress, LoadRequest } from "../../engine/protocol";
import { CancelledError } from "../../flow/errors";
import type { SamplerSettings } from "../../flow/settings";
import type { Run } from "../run/run";
import { createFrameBuffer } from "./frameBuffer";
import type { ModelStore } from "./model";
import { isCancellation, type Problem, problemOf } from "./problem";
import type { RunsStore } from "./runs";
import type { SettingsStore } from "./settings";

/** What the Generate button does, from press to text. */
export interface GenerationStore {
  readonly phase: "idle" | "loading" | "running";
  /** Cancel was pressed and the engine has not stopped yet. */
  readonly cancelling: boolean;
  /** The run being written; null until its first frame. */
  readonly runId: string | null;
  readonly problem: Problem | null;

  /**
   * Loads the model if need be, then writes; a run under way ends for it and keeps its frames. Does nothing while the
   * model is on its way to a run already. Never rejects: what goes wrong becomes `problem`.
   */
  start(): Promise<void>;
  /** Loads the chosen model and writes nothing; what goes on, a load of another model too, ends for it. Never rejects. */
  prepare(): Promise<void>;
  cancel(): Promise<void>;
  raise(problem: Problem): void;
  dismiss(): void;
}

export interface GenerationParts {
  readonly engine: EngineClient;
  readonly backend: LoadRequest["backend"];
  readonly settings: StoreApi<SettingsStore>;
  readonly model: StoreApi<ModelStore>;
  readonly runs: StoreApi<RunsStore>;
  readonly newId: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called with every generated run that has ended. */
  readonly onEnded: (run: Run) => void;
}

/** Frames travel on another line than the result, so the last may come after it. Milliseconds to wait for them. */
const LATE_FRAMES = 5000;

export function createGeneration(parts: GenerationParts): StoreApi<GenerationStore> {
  const { engine, backend, settings, model, runs, newId, now, onEnded } = parts;

  return createStore<GenerationStore>()((set, get) => {
    /** Counts the presses of Generate: only the newest says what goes on. */
    let presses = 0;
    engine.onLost(() => model.getState().giveUp("lost"));

    async function load(): Promise<LoadedModel> {
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
        const fresh = await (status === "lost" ? engine.restore(onProgress) : engine.load(request, onProgress));
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
    async function restore(fault: Problem): Promise<void> {
      set({ problem: { ...fault, action: "What was written is kept. The engine is being restored." } });
      try {
        const { backendLabel } = await load();
        const action = `What was written is kept, and the engine was restored on ${backendLabel}. Generate again.`;
        set({ problem: { ...fault, action } });
      } catch (error) {
        if (isCancellation(error)) set({ problem: fault });
        else set({ problem: { ...problemOf(error), message: `${fault.message} ${problemOf(error).message}` } });
      }
    }

    async function write(loaded: LoadedModel, wanted: SamplerSettings, isNewest: () => boolean): Promise<void> {
      const id = newId();
      let times: readonly number[] = [];
      const frames = createFrameBuffer((batch) => runs.getState().addFrames(id, batch));
      let whole: () => void = () => {};
      const allFrames = new Promise<void>((resolve) => {
        whole = resolve;
      });
      try {
        const { status, text, seconds } = await engine.generate({ settings: wanted }, (event) => {
          if (event.type === "start") {
            times = event.times;
            return;
          }
          if (event.type === "recall") return;
          if (event.frame.step === 0) {
            runs.getState().add(emptyRun(id, loaded, wanted, times, now()), true);
            if (isNewest()) set({ runId: id });
          }
          frames.push(event.frame);
          if (event.frame.step === wanted.steps) whole();
        });
        if (status === "done") await Promise.race([allFrames, pause(LATE_FRAMES)]);
        frames.flush();
        runs.getState().change(id, { status, text, seconds });
      } catch (error) {
        frames.flush();
        runs.getState().change(id, { status: isCancellation(error) ? "cancelled" : "failed" });
        throw error;
      } finally {
        const ended = runs.getState().runs.find((run) => run.id === id);
        if (ended) onEnded(ended);
      }
    }

    return {
      phase: "idle",
      cancelling: false,
      runId: null,
      problem: null,

      start: async () => {
        if (get().phase === "loading") return;
        const press = ++presses;
        const isNewest = () => press === presses;
        set({ phase: "loading", cancelling: false, runId: null, problem: null });
        try {
          const loaded = await load();
          set({ phase: "running" });
          // Cancelled between the two: the engine was idle and could not hear it.
          if (!get().cancelling) await write(loaded, settings.getState().take(), isNewest);
        } catch (error) {
          if (!isCancellation(error)) {
            const problem = problemOf(error);
            set({ problem });
            if (isNewest() && model.getState().status === "lost") await restore(problem);
          }
        } finally {
          if (isNewest()) set({ phase: "idle", cancelling: false, runId: null });
        }
      },
      prepare: async () => {
        const press = ++presses;
        const isNewest = () => press === presses;
        set({ phase: "loading", cancelling: false, runId: null, problem: null });
        try {
          await load();
        } catch (error) {
          if (!isCancellation(error) && isNewest()) set({ problem: problemOf(error) });
        } finally {
          if (isNewest()) set({ phase: "idle", cancelling: false, runId: null });
        }
      },
      cancel: async () => {
        if (get().phase === "idle") return;
        set({ cancelling: true });
        try {
          await engine.cancel();
        } catch (error) {
          set({ problem: problemOf(error) });
        }
      },
      raise: (problem) => set({ problem }),
      dismiss: () => set({ problem: null }),
    };
  });
}

function emptyRun(
  id: string,
  { manifest, backend, pieces }: LoadedModel,
  settings: SamplerSettings,
  times: readonly number[],
  startedAt: number,
): Run {
  return {
    id,
    origin: "generated",
    status: "running",
    modelTitle: manifest.title,
    backend,
    trajectory: { model: manifest.name, settings, times, frames: [] },
    pieces,
    eos: manifest.tokens.eos,
    text: "",
    seconds: null,
    startedAt,
  };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
