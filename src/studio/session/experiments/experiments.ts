/**
 * Experiments: runs that differ in one or two settings and in nothing else. Each is reckoned from one recipe, so that a link
 * with that recipe and the experiment's name makes it again.
 */
import type { ShippedJudge } from "../../../delivery/shipped";
import { type Recipe, recipeOf } from "../../../flow/recipe";
import { isWithin, type SamplerSettings, SETTING_LIMITS, seedAfter } from "../../../flow/settings";
import type { Words } from "../../words/english";

/** One of the runs of an experiment. */
export interface Variant {
  /** What sets it apart from the others. */
  readonly label: Label;
  readonly recipe: Recipe;
  /** Name of the model that writes it, where that is another than the one the experiment begins with. */
  readonly model?: string;
  /** The judge that writes it, where it is one; `model` is its name, too. */
  readonly byJudge?: ShippedJudge;
}

export interface Experiment {
  /** As in the address of the page: letters, dots and hyphens. */
  readonly id: string;
  title(words: Words): string;
  /** What there is to be seen, one sentence. */
  about(words: Words): string;
  /** The setting that it is about, where it is about one. */
  readonly setting?: keyof SamplerSettings;
  /** Whether its runs are played by the clock at first, each as fast as it was written. */
  readonly isByClock?: boolean;
  /** Why it can't be made from this recipe, for the person; null where it can. */
  whyNot(base: Recipe, words: Words): string | null;
  /** Its runs; `base` must be a recipe from noise. */
  variants(base: Recipe): readonly Variant[];
  /** Whether a token that differs from the first run's has been changed by what sets them apart: not so from other noise. */
  readonly isMarked: boolean;
  /** Whether one of its runs is to be kept: that of whose text the model is surest. */
  readonly keepsSurest?: true;
  /** Of a grid: what stands at the head of its rows and columns; its variants come row by row. */
  readonly heads?: { readonly rows: readonly Label[]; readonly columns: readonly Label[] };
}

export type Label = (words: Words) => string;

/** γ for an SDE that is made of a run without one; what the official samplers take. */
const USUAL_GAMMA = 1.5;

type Change = Partial<SamplerSettings>;

const possible = () => null;

/** Runs that differ from `base` by what each label says. */
function changed(base: Recipe, changes: readonly (readonly [label: Label, change: Change])[]): Variant[] {
  return changes.map(([label, change]) => ({ label, recipe: withSettings(base, change) }));
}

/** A name that is the same in all languages. */
const plain = (name: string) => () => name;
const stepsLabel = (steps: number) => (words: Words) => words.player.run.steps(steps);

/** What an experiment is called, and what there is to be seen. */
const named = (id: keyof Words["experiments"]["each"]) => ({
  id,
  title: (words: Words) => words.experiments.each[id].title,
  about: (words: Words) => words.experiments.each[id].about,
});

/** The ODE alone has other solvers than Euler's, and the SDE alone has fresh noise: what does not go with it gives way. */
function withSettings(base: Recipe, change: Change): Recipe {
  // One γ takes the place of a curve.
  const curve = change.gamma === undefined ? {} : { gammaCurve: undefined };
  const settings = { ...base.settings, ...curve, ...change };
  const solver = settings.method === "sde" ? "euler" : settings.solver;
  return recipeOf({ ...base, settings: { ...settings, solver } });
}

const samplers: Experiment = {
  ...named("samplers"),
  setting: "method",
  isMarked: true,
  whyNot: possible,
  variants: (base) => {
    const { method, gamma: own } = base.settings;
    const gamma = method === "sde" && own > 0 ? own : USUAL_GAMMA;
    return changed(base, [
      [plain("ODE"), { method: "ode" }],
      [plain(`SDE, γ ${gamma}`), { method: "sde", gamma }],
    ]);
  },
};

const steps: Experiment = {
  ...named("steps"),
  setting: "steps",
  isMarked: true,
  whyNot: possible,
  variants: (base) =>
    changed(
      base,
      [8, 64].map((steps) => [stepsLabel(steps), { steps }]),
    ),
};

const noise: Experiment = {
  ...named("noise"),
  setting: "gamma",
  isMarked: true,
  whyNot: possible,
  variants: (base) =>
    changed(
      base,
      [0.25, 1.5, 4].map((gamma) => [plain(`γ ${gamma}`), { method: "sde", gamma }]),
    ),
};

const selfConditioning: Experiment = {
  ...named("self-conditioning"),
  setting: "selfCondScale",
  isMarked: true,
  whyNot: possible,
  variants: (base) =>
    changed(
      base,
      [1, 3, 5].map((selfCondScale) => [plain(`w ${selfCondScale}`), { selfCondScale }]),
    ),
};

const guidance: Experiment = {
  ...named("guidance"),
  setting: "cfgScale",
  isMarked: true,
  whyNot: ({ prompt }, { experiments }) => (prompt ? null : experiments.whyNot.noPrompt),
  variants: (base) =>
    changed(
      base,
      [1, 2, 5].map((cfgScale) => [plain(`ω ${cfgScale}`), { cfgScale }]),
    ),
};

const schedules: Experiment = {
  ...named("schedules"),
  setting: "schedule",
  isMarked: true,
  whyNot: possible,
  variants: (base) =>
    changed(base, [
      [({ experiments }) => experiments.evenInT, { schedule: "uniform" }],
      [({ settings }) => settings.schedule.names.logit_normal, { schedule: "logit_normal" }],
    ]),
};

/** A run and those of the next seeds, `count` in all. */
function inSeeds(base: Recipe, count: number): Variant[] {
  const numbers = Array.from({ length: count }, (_, i) => seedAfter(base.settings.seed, i));
  return changed(
    base,
    numbers.map((seed) => [({ player }) => player.run.seed(seed), { seed }]),
  );
}

const seeds: Experiment = {
  ...named("seeds"),
  setting: "seed",
  isMarked: false,
  whyNot: possible,
  variants: (base) => inSeeds(base, 5),
};

const bestOfFour: Experiment = {
  ...named("best-of-four"),
  setting: "seed",
  isMarked: false,
  keepsSurest: true,
  whyNot: ({ back }, { experiments }) => (back ? experiments.whyNot.fromText : null),
  variants: (base) => inSeeds(base, 4),
};

/** In the order in which they are offered. */
export const EXPERIMENTS: readonly Experiment[] = [
  samplers,
  steps,
  seeds,
  bestOfFour,
  noise,
  selfConditioning,
  guidance,
  schedules,
];

/** The settings that a grid can have at its sides, with the values that it takes of each. */
export const GRID_AXES = {
  steps: { sign: "", values: [4, 8, 16, 32] },
  gamma: { sign: "γ", values: [0, 1, 2, 4] },
  selfCondScale: { sign: "w", values: [1, 2, 3, 5] },
  cfgScale: { sign: "ω", values: [1, 2, 3, 5] },
} as const satisfies Partial<Record<keyof SamplerSettings, { sign: string; values: readonly number[] }>>;

export type GridAxis = keyof typeof GRID_AXES;

export const GRID_AXIS_NAMES = Object.keys(GRID_AXES) as GridAxis[];

/** Every pair of the values of two settings, at one seed. */
export function gridOf(rows: GridAxis, columns: GridAxis): Experiment {
  const [down, across] = [GRID_AXES[rows], GRID_AXES[columns]];
  const head = ({ sign }: { sign: string }, value: number): Label =>
    sign === "" ? stepsLabel(value) : plain(`${sign} ${value}`);
  const names = [rows, columns];
  return {
    id: `grid.${rows}.${columns}`,
    title: ({ experiments: { axes } }) => `${axes[rows]} × ${axes[columns]}`,
    about: ({ experiments }) => experiments.gridIs,
    isMarked: true,
    heads: {
      rows: down.values.map((value) => head(down, value)),
      columns: across.values.map((value) => head(across, value)),
    },
    whyNot: (base, words) => {
      if (rows === columns) return words.experiments.whyNot.oneSetting;
      return names.includes("cfgScale") ? guidance.whyNot(base, words) : null;
    },
    variants: (base) => {
      // Without fresh noise the SDE is the ODE, so γ can be varied of either.
      const start = names.includes("gamma") ? withSettings(base, { method: "sde" }) : base;
      return down.values.flatMap((row) =>
        across.values.map((column) => ({
          label: (words) => `${head(down, row)(words)}, ${head(across, column)(words)}`,
          recipe: withSettings(start, { [rows]: row, [columns]: column }),
        })),
      );
    },
  };
}

/** The name in an address of the race with a next-word model (`race.ts`, which comes when it is wanted). */
export const RACE = "race";

/** How far towards the other noise each text of a strip begins. */
const WEIGHTS = [0, 0.25, 0.5, 0.75, 1] as const;

/** The way from the noise of a run's own seed to that of another, in equal steps; all else is the same. */
export function betweenSeeds(other: number): Experiment {
  const share = (weight: number) => plain(`${100 * weight} %`);
  return {
    id: `between.${other}`,
    title: ({ experiments }) => experiments.between(other),
    about: ({ experiments }) => experiments.betweenIs,
    isMarked: true,
    heads: { rows: [({ experiments }) => experiments.toSeed(other)], columns: WEIGHTS.map(share) },
    whyNot: ({ settings, back }, { experiments }) => {
      if (back) return experiments.whyNot.fromText;
      if (!isWithin(other, SETTING_LIMITS.seed)) return experiments.whyNot.noSeed;
      return other === settings.seed ? experiments.whyNot.sameSeed(other) : null;
    },
    variants: (base) =>
      WEIGHTS.map((weight) => ({
        label: share(weight),
        recipe: recipeOf({ ...base, towards: { seed: other, weight } }),
      })),
  };
}

/** The experiment of a name as it stands in an address; undefined where there is none. */
export function experimentNamed(id: string): Experiment | undefined {
  const [kind, rows = "", columns = ""] = id.split(".");
  if (kind === "grid" && isAxis(rows) && isAxis(columns) && rows !== columns) return gridOf(rows, columns);
  if (kind === "between" && columns === "" && /^\d{1,10}$/.test(rows)) return betweenSeeds(Number(rows));
  return EXPERIMENTS.find((experiment) => experiment.id === id);
}

function isAxis(name: string): name is GridAxis {
  return Object.hasOwn(GRID_AXES, name);
}
