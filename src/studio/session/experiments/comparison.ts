import { createStore, type StoreApi } from "zustand/vanilla";
import type { ShippedJudge } from "../../../delivery/shipped";
import { surestOf } from "../../../flow/certainty";
import { ConditionError, isCancellation, problemOf } from "../../../flow/errors";
import { type Recipe, recipeKey, recipeOf, rootOf } from "../../../flow/recipe";
import { lastFrame } from "../../../player/run/run";
import { describeSettings } from "../../../player/run/settingsInWords";
import { grownRun } from "../../../player/run/writtenRun";
import { ENGLISH, type Words } from "../../words/english";
import type { ModelStore } from "../models/model";
import { keyOf } from "../runs/family";
import { type RunsStore, selectedRun } from "../runs/runs";
import { frameCount, type Run } from "../runs/shelfRun";
import type { Desk, GenerationStore, Retry } from "../writing/generation";
import type { Experiment, Variant } from "./experiments";

/** Most runs that are laid side by side by hand; the first goes for one more. */
const MOST_COMPARED = 6;

/** Runs side by side on one time: those of an experiment, or some from the shelf. */
export interface Comparison {
  title(words: Words): string;
  about(words: Words): string;
  /** Name of the model whose runs they are, but for members that name another. */
  readonly model: string;
  readonly members: readonly Variant[];
  readonly isMarked: boolean;
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
   * Those of other models come last, and the model that it began with is the chosen one again after them, unless something
   * else is being written by then. Where the surest is to be kept, it stands on the stage in the end. Rejects with
   * `ConditionError` where it can't be made of `base`.
   */
  begin(experiment: Experiment, base: Recipe): Promise<void>;
  /** Lays a run beside those shown, or beside the one on the stage; one that is beside others already goes. */
  turn(run: Run): void;
  /** Puts a run of a grid onto the shelf and the stage; one that is still written stays where its frames come. */
  take(run: Run): void;
  /** Closes for a run of the shelf that is to be seen and is not among those shown. A grid stays, if a text of it is there. */
  giveWay(id: string): void;
  close(): void;
}

export interface ComparisonParts {
  readonly runs: StoreApi<RunsStore>;
  readonly model: StoreApi<ModelStore>;
  readonly generation: StoreApi<GenerationStore>;
  /** Makes the model of this name the one that writes, and gives the way back to the one before; null where none is known. */
  readonly turnToModel: (name: string) => (() => void) | null;
  /** Lets a judge write what it makes of a recipe, or of the beginning of the text that a model made of it. */
  readonly writeByJudge: (judge: ShippedJudge, recipe: Recipe, text: string) => Promise<Run>;
  /** Gives runs of the shelf their frames back, where these are put away. */
  readonly unfold: (runs: readonly Run[]) => Promise<void>;
  /** Called with a run that has come to the shelf whole. */
  readonly onTaken: (run: Run) => void;
  /** Called where a grid does not give way to a run: its texts are on no shelf, and would be lost by that. */
  readonly onStays: () => void;
}

export function createComparison(parts: ComparisonParts): StoreApi<ComparisonStore> {
  const { runs, model, generation, turnToModel, writeByJudge, unfold, onTaken, onStays } = parts;
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

    /** Has the judge write its runs, when the run that they stand beside is there. */
    async function judged(shown: Comparison, retry: Retry): Promise<void> {
      const there = runsOf(shown, [...get().laid, ...runs.getState().runs]);
      const text = there[0]?.status === "done" ? there[0].text : null;
      for (const [i, { byJudge, recipe }] of shown.members.entries()) {
        if (!byJudge || there[i] || text === null) continue;
        try {
          const run = await writeByJudge(byJudge, recipe, text);
          if (get().shown === shown) set(({ laid }) => ({ laid: [...laid, run] }));
        } catch (error) {
          if (!isCancellation(error)) generation.getState().raise(problemOf(error), retry);
        }
      }
    }

    /** Writes by other models in turn until one is stopped, and comes back to the one chosen now, loaded if it was. */
    async function abroad(names: readonly string[], write: (model: string) => Promise<boolean>): Promise<void> {
      const { loaded } = model.getState();
      let home: (() => void) | null = null;
      try {
        for (const name of names) {
          const back = turnToModel(name);
          if (!back) throw modelIsMissing(name);
          home ??= back;
          if (!(await write(name))) return;
        }
      } finally {
        // Whoever turned to a third one meanwhile has it; what was pressed meanwhile is written by the one that was there.
        if (home && names.includes(model.getState().name) && generation.getState().phase === "idle") {
          home();
          if (loaded) await generation.getState().prepare({ beside: true });
        }
      }
    }

    return {
      shown: null,
      laid: [],

      begin: async (experiment, base) => {
        // In English, as all errors are.
        const why = experiment.whyNot(base, ENGLISH);
        if (why !== null) throw new ConditionError(`${experiment.title(ENGLISH)}: this cannot be shown.`, why);
        const { id, title, about, isMarked, heads } = experiment;
        const before = get().shown?.origin;
        const isSame = before?.experiment.id === id && recipeKey(before.base) === recipeKey(base);
        const members = experiment.variants(base);
        const shown = {
          title,
          about,
          isMarked,
          members,
          model: model.getState().name,
          origin: { experiment, base },
        };
        set({ shown, ...(isSame ? {} : { laid: [] }) });
        const retry = { model: shown.model, bySettings: false, again: () => get().begin(experiment, base) };
        const missing = (model: string) => {
          const there = runsOf(shown, [...get().laid, ...runs.getState().runs]);
          // What was not written here does not say how long it takes here.
          const isThere = (run: Run | undefined) =>
            run?.status === "done" && (!experiment.isByClock || run.seconds !== null);
          return members.filter(
            (member, i) => !member.byJudge && modelOf(shown, member) === model && !isThere(there[i]),
          );
        };
        const write = async (model: string) => {
          const recipes = () => missing(model).map(({ recipe }) => recipe);
          // What another model left unread could not be read once it has gone.
          const how = heads ? { desk: table } : others.length > 0 ? { frames: "every" as const } : {};
          if (recipes().length > 0) await generation.getState().writeEach(recipes, { ...how, retry });
          return recipes().length === 0;
        };
        const flows = members.filter(({ byJudge }) => !byJudge);
        const others = [...new Set(flows.map((member) => modelOf(shown, member)))].filter(
          (name) => name !== shown.model,
        );
        const isHome = await write(shown.model);
        if (isHome && others.some((name) => missing(name).length > 0)) await abroad(others, write);
        // Whoever looks at something else meanwhile is left to it.
        if (get().shown !== shown) return;
        await judged(shown, retry);
        if (get().shown !== shown) return;
        await unfold(runsOf(shown, runs.getState().runs).filter((run) => run !== undefined));
        const there = runsOf(shown, runs.getState().runs);
        const kept = there[surestMember(shown, there) ?? -1];
        if (kept) runs.getState().select(kept.id);
      },
      turn: (run) => {
        const { shown } = get();
        const { model } = run.trajectory;
        const key = recipeKey(run.trajectory);
        const isList = shown?.model === model && !shown.origin?.experiment.heads;
        const stage = selectedRun(runs.getState());
        const shownHere = isList ? shown.members.filter((member) => modelOf(shown, member) === model) : [];
        const there = isList ? shownHere : stage?.trajectory.model === model ? [memberOf(stage)] : [];
        const others = there.filter(({ recipe }) => recipeKey(recipe) !== key);
        const isLeaving = isList && others.length < there.length;
        const members = isLeaving ? others : [...others, memberOf(run)].slice(-MOST_COMPARED);
        set({ shown: members.length < 2 ? null : byHand(model, members), laid: [] });
      },
      take: (run) => {
        const here = runs.getState().runs.find(({ id }) => id === run.id);
        if (!here && run.status === "running") return;
        if (!here) {
          runs.getState().add(run);
          onTaken(run);
        }
        runs.getState().select(run.id);
      },
      giveWay: (id) => {
        const { shown, laid, close } = get();
        const run = runs.getState().runs.find((run) => run.id === id);
        if (!shown || !run || isMember(shown, run)) return;
        if (shown.origin?.experiment.heads && laid.length > 0) onStays();
        else close();
      },
      close: () => set({ shown: null, laid: [] }),
    };
  });
  // Whoever writes wants to see it written; what has been laid side by side since the press is looked at instead.
  let atPress: Comparison | null = null;
  generation.subscribe(({ phase, runId }, before) => {
    const { shown, giveWay } = store.getState();
    if (phase === "loading" && before.phase !== "loading") atPress = shown;
    if (runId !== null && runId !== before.runId && shown === atPress) giveWay(runId);
  });
  // Another model's tokens mean something else, and its settings are others.
  model.subscribe(({ name }, before) => {
    const { shown } = store.getState();
    if (name !== before.name && shown && !modelsOf(shown).has(name)) store.getState().close();
  });
  return store;
}

function memberOf({ trajectory }: Run): Variant {
  return { label: ({ player }) => describeSettings(trajectory, player), recipe: recipeOf(trajectory) };
}

function byHand(model: string, members: readonly Variant[]): Comparison {
  const isMarked = new Set(members.map(({ recipe }) => noiseOf(recipe))).size === 1;
  return {
    title: ({ experiments }) => experiments.runsOfShelf(members.length),
    about: ({ experiments }) => experiments.sideBySide,
    model,
    members,
    isMarked,
    origin: null,
  };
}

/** The same text for runs whose tokens can be compared: those that begin at one noise, and a text beside its way back. */
function noiseOf(recipe: Recipe): string {
  const { seed, length } = recipe.settings;
  return JSON.stringify([seed, length, rootOf(recipe).towards]);
}

/** The run of each member, of several the one that got furthest; undefined where there is none yet. */
export function runsOf(comparison: Comparison, runs: readonly Run[]): (Run | undefined)[] {
  const models = modelsOf(comparison);
  const byKey = new Map<string, Run>();
  for (const run of runs) {
    const { model } = run.trajectory;
    if (!models.has(model)) continue;
    const key = keyOf(model, run.trajectory);
    const other = byKey.get(key);
    if (!other || isFurther(run, other)) byKey.set(key, run);
  }
  return comparison.members.map((member) => byKey.get(keyOf(modelOf(comparison, member), member.recipe)));
}

/**
 * The place of the member of whose run, among those that `runsOf` found, the model is surest; undefined where none is to be
 * kept, or before all of them are done.
 */
export function surestMember({ origin }: Comparison, runs: readonly (Run | undefined)[]): number | undefined {
  if (!origin?.experiment.keepsSurest) return undefined;
  const ends = runs.flatMap((run) => (run?.status === "done" ? (lastFrame(run)?.holds ?? []) : []));
  return ends.length < runs.length ? undefined : surestOf(ends, runs[0]?.eos ?? null);
}

/** Whether the run is one of those side by side, or the same as one of them. */
export function isMember(comparison: Comparison, { trajectory }: Run): boolean {
  const key = keyOf(trajectory.model, trajectory);
  return comparison.members.some((member) => keyOf(modelOf(comparison, member), member.recipe) === key);
}

function modelOf({ model }: Pick<Comparison, "model">, member: Variant): string {
  return member.model ?? model;
}

export function modelsOf(comparison: Comparison): ReadonlySet<string> {
  return new Set(comparison.members.map((member) => modelOf(comparison, member)));
}

function modelIsMissing(name: string): ConditionError {
  return new ConditionError(`The model ${name} is not on the shelf any more.`, "Add it again (M).");
}

function isFurther(run: Run, other: Run): boolean {
  const far = (one: Run) => (one.status === "done" ? Number.POSITIVE_INFINITY : frameCount(one));
  // Of two that are whole the one that says how long it took.
  if (run.status === "done" && other.status === "done") return run.seconds !== null && other.seconds === null;
  return run.status === "running" ? other.status !== "done" : far(run) > far(other);
}
