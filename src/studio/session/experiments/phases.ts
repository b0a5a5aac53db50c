import { createStore, type StoreApi } from "zustand/vanilla";
import { type Recipe, recipeKey, recipeOf } from "../../../flow/recipe";
import { seedAfter } from "../../../flow/settings";
import { type PhasesByReading, withRun } from "../../../player/run/phases";
import { settlingOf } from "../../../player/run/settling";
import { grownRun } from "../../../player/run/writtenRun";
import type { ModelStore } from "../models/model";
import type { Run } from "../runs/shelfRun";
import type { Desk, GenerationStore } from "../writing/generation";

/** Runs that are counted in the end. */
export const PHASE_RUNS = 100;

/** When words settle, counted over runs that differ in their noise alone; none of the runs is kept. */
export interface PhasesStore {
  /** By `phasesKey`. */
  readonly counted: ReadonlyMap<string, PhasesByReading>;
  /** What is being counted. */
  readonly counting: string | null;
  /**
   * Writes further runs by the recipe of `run`, which has to be one from noise, until 100 are counted or a cancel comes;
   * called again, the rest. What goes wrong becomes a problem of `generation`.
   */
  count(run: Run): Promise<void>;
}

export interface PhasesParts {
  readonly model: StoreApi<ModelStore>;
  readonly generation: StoreApi<GenerationStore>;
}

export function createPhases({ model, generation }: PhasesParts): StoreApi<PhasesStore> {
  return createStore<PhasesStore>()((set, get) => {
    /** Takes runs, adds up what each says at its end, and lets it go. */
    const counterOf = (key: string): Desk => {
      const underWay = new Map<string, Run>();
      return {
        lay: (begun) => {
          underWay.set(begun.id, begun);
        },
        addFrames: (id, frames) => {
          const run = underWay.get(id);
          if (run) underWay.set(id, grownRun(run, frames));
        },
        show: () => {},
        end: (id, how) => {
          const run = underWay.get(id);
          underWay.delete(id);
          const ended = run && { ...run, ...how };
          const [holds, expects] = ended ? [settlingOf(ended, "holds"), settlingOf(ended, "expects")] : [null, null];
          if (!holds || !expects) return;
          const before = get().counted.get(key);
          const phases = { holds: withRun(before?.holds, holds), expects: withRun(before?.expects, expects) };
          set(({ counted }) => ({ counted: new Map(counted).set(key, phases) }));
        },
      };
    };

    return {
      counted: new Map(),
      counting: null,
      count: async (run) => {
        const { name } = model.getState();
        if (!canBeCounted(run, name)) return;
        const key = phasesKey(run);
        const base = recipeOf(run.trajectory);
        const rest = () => {
          const done = get().counted.get(key)?.holds.runs ?? 0;
          return Array.from({ length: PHASE_RUNS - done }, (_, i) =>
            seeded(base, seedAfter(base.settings.seed, done + i)),
          );
        };
        set({ counting: key });
        try {
          const retry = { model: name, bySettings: false, again: () => get().count(run) };
          await generation.getState().writeEach(rest, { desk: counterOf(key), frames: "every", retry });
        } finally {
          if (get().counting === key) set({ counting: null });
        }
      },
    };
  });
}

/** Whether a run is the chosen model's and from noise: a fork's steps are another run's up to where it leaves that one. */
export function canBeCounted({ trajectory }: Pick<Run, "trajectory">, model: string): boolean {
  return trajectory.model === model && trajectory.from === undefined;
}

/** What runs have in common that are counted together: the model, and the recipe but for its seed. */
export function phasesKey({ trajectory }: Pick<Run, "trajectory">): string {
  return `${trajectory.model} ${recipeKey(seeded(recipeOf(trajectory), 0))}`;
}

function seeded(base: Recipe, seed: number): Recipe {
  return { ...base, settings: { ...base.settings, seed } };
}
