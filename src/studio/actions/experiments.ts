import { problemOf } from "../../flow/errors";
import type { Recipe } from "../../flow/recipe";
import { linkTo } from "../../format/link";
import { draftedBase, shownBase } from "../session/experiments/base";
import type { Experiment } from "../session/experiments/experiments";
import { canBeCounted, PHASE_RUNS, phasesKey } from "../session/experiments/phases";
import { whyNotBack, writeBack } from "../session/experiments/wayBack";
import { selectedRun } from "../session/runs/runs";
import type { Studio } from "../session/studio";
import { whyNotReady } from "../session/writing/readiness";
import type { Action, Deed } from "./action";
import { sayShared } from "./sharing";

/** Begins an experiment; what keeps it from being made becomes a problem to be seen. */
export async function beginExperiment(
  { comparison, generation }: Pick<Studio, "comparison" | "generation">,
  experiment: Experiment,
  base: Recipe,
): Promise<void> {
  try {
    await comparison.getState().begin(experiment, base);
  } catch (error) {
    generation.getState().raise(problemOf(error));
  }
}

type BaseOf = (studio: Studio) => Recipe | null;

/** The run shown; where there is none, what the next run would be. */
export const shownOrDrafted: BaseOf = (studio) => shownBase(studio) ?? draftedBase(studio);

/** Makes an experiment of what `baseOf` finds: the run shown, or `draftedBase`, the settings as they stand. */
export function experimentOn(experiment: Experiment, baseOf: BaseOf = shownOrDrafted): Deed {
  return {
    enabled: (studio) => isFree(studio) && whyNotNow(experiment, studio, baseOf) === null,
    run: (studio) => {
      const base = baseOf(studio);
      if (base) void beginExperiment(studio, experiment, base);
    },
  };
}

/** What keeps an experiment from being made now, for the person; null if nothing does. */
export function whyNotNow(experiment: Experiment, studio: Studio, baseOf: BaseOf = shownOrDrafted): string | null {
  try {
    const base = baseOf(studio);
    return base ? experiment.whyNot(base, studio.words.getState()) : studio.words.getState().whyNot.noModel;
  } catch (error) {
    return whyNotReady(studio) ?? problemOf(error).message;
  }
}

export const showExperiments: Action = {
  id: "show-experiments",
  group: "View",
  shortcuts: [{ key: "o" }],
  enabled: () => true,
  run: ({ view }) => view.getState().openExperiments(true),
};

export const closeComparison: Action = {
  id: "close-comparison",
  group: "View",
  shortcuts: [{ key: "c" }],
  enabled: ({ comparison }) => comparison.getState().shown !== null,
  run: ({ comparison }) => comparison.getState().close(),
};

/** Writes what a comparison lacks: the runs that were cancelled, or deleted since. */
export const writeTheRest: Deed = {
  enabled: (studio) => isFree(studio) && studio.comparison.getState().shown?.origin != null,
  run: (studio) => {
    const origin = studio.comparison.getState().shown?.origin;
    if (origin) void beginExperiment(studio, origin.experiment, origin.base);
  },
};

/** A link to the experiment; it is shown beside the runs alone, so it needs no shortcut. */
export const copyExperiment: Deed = {
  enabled: ({ comparison }) => comparison.getState().shown?.origin != null,
  run: (studio) => {
    const origin = studio.comparison.getState().shown?.origin;
    if (origin)
      sayShared(studio, linkTo(origin.base), origin.experiment.id, studio.words.getState().said.experimentCopied);
  },
};

/** Takes the text shown back to noise and forward again. It is offered in the list of experiments alone. */
export const writeItBack: Deed = {
  enabled: (studio) => isFree(studio) && whyNotBack(studio, studio.words.getState()) === null,
  run: (studio) => void writeBack(studio),
};

/** Counts when the words settle in many runs like the one shown. It is offered beside its lens alone. */
export const countPhases: Deed = {
  enabled: (studio) => {
    const run = selectedRun(studio.runs.getState());
    if (!run || !canBeCounted(run, studio.model.getState().name)) return false;
    const counted = studio.phases.getState().counted.get(phasesKey(run))?.holds.runs ?? 0;
    return studio.generation.getState().phase === "idle" && counted < PHASE_RUNS;
  },
  run: (studio) => {
    const run = selectedRun(studio.runs.getState());
    if (run) void studio.phases.getState().count(run);
  },
};

/** In the order of the list of shortcuts. */
export const EXPERIMENT_ACTIONS: readonly Action[] = [showExperiments, closeComparison];

function isFree({ generation }: Studio): boolean {
  return generation.getState().phase !== "loading";
}
