import { createStore, type StoreApi } from "zustand/vanilla";
import { ConditionError } from "../../../flow/errors";
import { type Recipe, recipeKey, recipeOf } from "../../../flow/recipe";
import { describeSettings } from "../../../player/run/settingsInWords";
import { grownRun } from "../../../player/run/writtenRun";
import type { ModelStore } from "../models/model";
import { type RunsStore, selectedRun } from "../runs/runs";
import type { Run } from "../runs/shelfRun";
import type { Desk, GenerationStore } from "../writing/generation";
import type { Experiment, Variant } from "./experiments";

/** Most runs that are laid side by side by hand; the first goes for one more. */
const MOST_COMPARED = 6;

/** Runs side by side on one time: those of an experiment, or some from the shelf. */
export interface Comparison {
  readonly title: string;
  readonly about: string;
  /** Name of the model whose runs they are. */
  readonly model: string;
  readonly members: readonly Variant[];
  readonly isOfOneNoise: boolean;
  /** The experiment and the recipe that make it again; null where the runs were chosen by hand. */
  readonly origin: { readonly experiment: Experiment; readonly base: Recipe } | null;
}

/** What stands side by side, in place of one run. */
export interface ComparisonStore {
  readonly shown: Comparison | null;
  /** The runs of a grid, which are too many for the shelf. */
  readonly laid: readonly Run[];

  /**
   * Shows an experiment and writes those of its runs that are not there yet, one after another; called again, the rest.
   * Rejects with `ConditionError` where it can't be made of `base`.
   */
  begin(experiment: Experiment, base: Recipe): Promise<void>;
  /** Lays a run beside those shown, or beside the one on the stage; one that is beside others already goes. */
  turn(run: Run): void;
  /** Puts a run of a grid onto the shelf and the stage. */
  take(run: Run): void;
  close(): void;
}

export interface ComparisonParts {
  readonly runs: StoreApi<RunsStore>;
  readonly model: StoreApi<ModelStore>;
  readonly generation: StoreApi<GenerationStore>;
  /** Called with a run that has come to the shelf whole. */
  readonly onTaken: (run: Run) => void;
}

export function createComparison({ runs, model, generation, onTaken }: ComparisonParts): StoreApi<ComparisonStore> {
  const store = createStore<ComparisonStore>()((set, get) => {
    const change = (id: string, changed: (run: Run) => Run) =>
      set(({ laid }) => ({ laid: laid.map((run) => (run.id === id ? changed(run) : run)) }));
    const table: Desk = {
      lay: (run) => set(({ laid }) => ({ laid: [...laid, run] })),
      addFrames: (id, frames) => change(id, (run) => grownRun(run, frames)),
      show: () => {},
      end: (id, how, isSeen) => {
        if (isSeen) change(id, (run) => ({ ...run, ...how }));
        else set(({ laid }) => ({ laid: laid.filter((run) => run.id !== id) }));
      },
    };

    return {
      shown: null,
      laid: [],

      begin: async (experiment, base) => {
        const why = experiment.whyNot(base);
        if (why !== null) throw new ConditionError(`${experiment.title}: this cannot be shown.`, why);
        const { id, title, about, isOfOneNoise, heads } = experiment;
        const before = get().shown?.origin;
        const isSame = before?.experiment.id === id && recipeKey(before.base) === recipeKey(base);
        const members = experiment.variants(base);
        const shown = {
          title,
          about,
          isOfOneNoise,
          members,
          model: model.getState().name,
          origin: { experiment, base },
        };
        set({ shown, ...(isSame ? {} : { laid: [] }) });
        const missing = () => {
          const there = runsOf(shown, [...get().laid, ...runs.getState().runs]);
          return members.filter((_, i) => there[i]?.status !== "done").map(({ recipe }) => recipe);
        };
        if (missing().length > 0) await generation.getState().writeEach(missing, heads ? { desk: table } : {});
      },
      turn: (run) => {
        const { shown } = get();
        const { model } = run.trajectory;
        const key = recipeKey(run.trajectory);
        const isList = shown?.model === model && !shown.origin?.experiment.heads;
        const stage = selectedRun(runs.getState());
        const there = isList ? shown.members : stage?.trajectory.model === model ? [memberOf(stage)] : [];
        const others = there.filter(({ recipe }) => recipeKey(recipe) !== key);
        const isLeaving = isList && others.length < there.length;
        const members = isLeaving ? others : [...others, memberOf(run)].slice(-MOST_COMPARED);
        set({ shown: members.length < 2 ? null : byHand(model, members), laid: [] });
      },
      take: (run) => {
        const here = runs.getState().runs.find(({ id }) => id === run.id);
        if (!here) {
          runs.getState().add(run);
          onTaken(run);
        }
        runs.getState().select(run.id);
      },
      close: () => set({ shown: null, laid: [] }),
    };
  });
  // Another model's tokens mean something else, and its settings are others.
  model.subscribe(({ name }, before) => name !== before.name && store.getState().close());
  return store;
}

function memberOf({ trajectory }: Run): Variant {
  return { label: describeSettings(trajectory.settings), recipe: recipeOf(trajectory) };
}

function byHand(model: string, members: readonly Variant[]): Comparison {
  const isOfOneNoise =
    new Set(members.map(({ recipe: { settings } }) => `${settings.seed} ${settings.length}`)).size === 1;
  return {
    title: `${members.length} runs of the shelf`,
    about: "Side by side on one time.",
    model,
    members,
    isOfOneNoise,
    origin: null,
  };
}

/** The run of each member, of several the one that got furthest; undefined where there is none yet. */
export function runsOf({ members, model }: Comparison, runs: readonly Run[]): (Run | undefined)[] {
  const byRecipe = new Map<string, Run>();
  for (const run of runs) {
    if (run.trajectory.model !== model) continue;
    const key = recipeKey(run.trajectory);
    const other = byRecipe.get(key);
    if (!other || isFurther(run, other)) byRecipe.set(key, run);
  }
  return members.map(({ recipe }) => byRecipe.get(recipeKey(recipe)));
}

/** Whether the run is one of those side by side, or the same as one of them. */
export function isMember({ members, model }: Comparison, { trajectory }: Run): boolean {
  const key = recipeKey(trajectory);
  return trajectory.model === model && members.some(({ recipe }) => recipeKey(recipe) === key);
}

function isFurther(run: Run, other: Run): boolean {
  const far = ({ status, trajectory }: Run) =>
    status === "done" ? Number.POSITIVE_INFINITY : trajectory.frames.length;
  return run.status === "running" ? other.status !== "done" : far(run) > far(other);
}
