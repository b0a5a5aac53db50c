/**
 * Experiments: runs that differ in one or two settings and in nothing else. Each is reckoned from one recipe, so that a link
 * with that recipe and the experiment's name makes it again.
 */
import type { Recipe } from "../../../flow/recipe";
import { type SamplerSettings, SETTING_LIMITS } from "../../../flow/settings";

/** One of the runs of an experiment. */
export interface Variant {
  /** What sets it apart from the others. */
  readonly label: string;
  readonly recipe: Recipe;
  /** Name of the model that writes it, where that is another than the one the experiment begins with. */
  readonly model?: string;
}

export interface Experiment {
  /** As in the address of the page: letters, dots and hyphens. */
  readonly id: string;
  readonly title: string;
  /** What there is to be seen, one sentence. */
  readonly about: string;
  /** The setting that it is about, where it is about one. */
  readonly setting?: keyof SamplerSettings;
  /** Why it can't be made from this recipe, for the person; null where it can. */
  whyNot(base: Recipe): string | null;
  /** Its runs; `base` must be a recipe from noise. */
  variants(base: Recipe): readonly Variant[];
  /** Whether the runs begin at the same noise, so that a token that differs has been changed by what sets them apart. */
  readonly isOfOneNoise: boolean;
  /** Of a grid: what stands at the head of its rows and columns; its variants come row by row. */
  readonly heads?: { readonly rows: readonly string[]; readonly columns: readonly string[] };
}

/** γ for an SDE that is made of a run without one; what the official samplers take. */
const USUAL_GAMMA = 1.5;

type Change = Partial<SamplerSettings>;

const possible = () => null;

/** Runs that differ from `base` by what each label says. */
function changed(base: Recipe, changes: Readonly<Record<string, Change>>): Variant[] {
  return Object.entries(changes).map(([label, change]) => ({ label, recipe: withSettings(base, change) }));
}

/** The ODE alone has other solvers than Euler's, and the SDE alone has fresh noise: what does not go with it gives way. */
function withSettings(base: Recipe, change: Change): Recipe {
  const settings = { ...base.settings, ...change };
  const solver = settings.method === "sde" ? "euler" : settings.solver;
  return { ...base, settings: { ...settings, solver } };
}

const samplers: Experiment = {
  id: "samplers",
  title: "ODE and SDE from the same noise",
  about:
    "The ODE follows the flow and nothing else; the SDE mixes fresh noise in before every step, and may think again.",
  setting: "method",
  isOfOneNoise: true,
  whyNot: possible,
  variants: (base) => {
    const { method, gamma: own } = base.settings;
    const gamma = method === "sde" && own > 0 ? own : USUAL_GAMMA;
    return changed(base, { ODE: { method: "ode" }, [`SDE, γ ${gamma}`]: { method: "sde", gamma } });
  },
};

const steps: Experiment = {
  id: "steps",
  title: "8 and 64 steps",
  about: "Few steps decide many words at once, which then do not always agree; many steps decide them in turn.",
  setting: "steps",
  isOfOneNoise: true,
  whyNot: possible,
  variants: (base) => changed(base, { "8 steps": { steps: 8 }, "64 steps": { steps: 64 } }),
};

const noise: Experiment = {
  id: "noise",
  title: "Little and much fresh noise",
  about: "With more fresh noise words are decided later and mended more often: smoother texts, and more alike.",
  setting: "gamma",
  isOfOneNoise: true,
  whyNot: possible,
  variants: (base) =>
    changed(base, {
      "γ 0.25": { method: "sde", gamma: 0.25 },
      "γ 1.5": { method: "sde", gamma: 1.5 },
      "γ 4": { method: "sde", gamma: 4 },
    }),
};

const selfConditioning: Experiment = {
  id: "self-conditioning",
  title: "Little and much self-conditioning",
  about: "The higher w, the more it trusts its last guess: surer words sooner, and too much of it repeats itself.",
  setting: "selfCondScale",
  isOfOneNoise: true,
  whyNot: possible,
  variants: (base) =>
    changed(base, { "w 1": { selfCondScale: 1 }, "w 3": { selfCondScale: 3 }, "w 5": { selfCondScale: 5 } }),
};

const guidance: Experiment = {
  id: "guidance",
  title: "With and without guidance by the prompt",
  about: "The higher ω, the closer the text keeps to the prompt; at 1 there is no guidance, only the prompt itself.",
  setting: "cfgScale",
  isOfOneNoise: true,
  whyNot: ({ prompt }) => (prompt ? null : "It takes a run with a prompt."),
  variants: (base) => changed(base, { "ω 1": { cfgScale: 1 }, "ω 2": { cfgScale: 2 }, "ω 5": { cfgScale: 5 } }),
};

const schedules: Experiment = {
  id: "schedules",
  title: "Even steps and logit-normal ones",
  about: "Logit-normal times take most steps early, where the text is decided; even ones spend as many at the end.",
  setting: "schedule",
  isOfOneNoise: true,
  whyNot: possible,
  variants: (base) =>
    changed(base, { "Even in t": { schedule: "uniform" }, "Logit-normal": { schedule: "logit_normal" } }),
};

const SEEDS = 5;

const seeds: Experiment = {
  id: "seeds",
  title: "The same in five seeds",
  about: "Everything is the same but the noise that it begins with.",
  setting: "seed",
  isOfOneNoise: false,
  whyNot: possible,
  variants: (base) => {
    const { greatest } = SETTING_LIMITS.seed;
    const numbers = Array.from({ length: SEEDS }, (_, i) => (base.settings.seed + i) % (greatest + 1));
    return numbers.map((seed) => ({ label: `seed ${seed}`, recipe: withSettings(base, { seed }) }));
  },
};

/** In the order in which they are offered. */
export const EXPERIMENTS: readonly Experiment[] = [
  samplers,
  steps,
  seeds,
  noise,
  selfConditioning,
  guidance,
  schedules,
];

/** The settings that a grid can have at its sides, with the values that it takes of each. */
export const GRID_AXES = {
  steps: { sign: "steps", name: "Steps", values: [4, 8, 16, 32] },
  gamma: { sign: "γ", name: "Fresh noise γ", values: [0, 1, 2, 4] },
  selfCondScale: { sign: "w", name: "Self-conditioning w", values: [1, 2, 3, 5] },
  cfgScale: { sign: "ω", name: "Guidance ω", values: [1, 2, 3, 5] },
} as const satisfies Partial<Record<keyof SamplerSettings, { sign: string; name: string; values: readonly number[] }>>;

export type GridAxis = keyof typeof GRID_AXES;

export const GRID_AXIS_NAMES = Object.keys(GRID_AXES) as GridAxis[];

/** Every pair of the values of two settings, at one seed. */
export function gridOf(rows: GridAxis, columns: GridAxis): Experiment {
  const [down, across] = [GRID_AXES[rows], GRID_AXES[columns]];
  const head = ({ sign }: { sign: string }, value: number) =>
    sign === "steps" ? `${value} steps` : `${sign} ${value}`;
  const names = [rows, columns];
  return {
    id: `grid.${rows}.${columns}`,
    title: `${down.name} × ${across.name}`,
    about: "Every pair of the two, from the same noise. Each text is a run: a press puts it on the shelf.",
    isOfOneNoise: true,
    heads: {
      rows: down.values.map((value) => head(down, value)),
      columns: across.values.map((value) => head(across, value)),
    },
    whyNot: (base) => {
      if (rows === columns) return "A grid has two different settings at its sides.";
      return names.includes("cfgScale") ? guidance.whyNot(base) : null;
    },
    variants: (base) => {
      // Without fresh noise the SDE is the ODE, so γ can be varied of either.
      const start = names.includes("gamma") ? withSettings(base, { method: "sde" }) : base;
      return down.values.flatMap((row) =>
        across.values.map((column) => ({
          label: `${head(down, row)}, ${head(across, column)}`,
          recipe: withSettings(start, { [rows]: row, [columns]: column }),
        })),
      );
    },
  };
}

/** The experiment of a name as it stands in an address; undefined where there is none. */
export function experimentNamed(id: string): Experiment | undefined {
  const [kind, rows = "", columns = ""] = id.split(".");
  if (kind === "grid" && isAxis(rows) && isAxis(columns) && rows !== columns) return gridOf(rows, columns);
  return EXPERIMENTS.find((experiment) => experiment.id === id);
}

function isAxis(name: string): name is GridAxis {
  return Object.hasOwn(GRID_AXES, name);
}
