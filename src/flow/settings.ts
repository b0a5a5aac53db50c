import { SettingsError } from "./errors";
import { checkGammaCurve, type GAMMA_LIMITS, type GammaCurve } from "./gammaCurve";

/** What a person can choose about one run of the sampler. Names are those of the paper and of `elf sample`. */
export interface SamplerSettings {
  /** Number of steps N from noise (t = 0) to text (t = 1); integer, 1 … 1024. */
  readonly steps: number;
  /** `ode` follows the velocity alone; `sde` mixes fresh noise in before every step but the last. */
  readonly method: Method;
  /** Fresh noise γ of the SDE, 0 … 8; 0 is the ODE. Ignored when `method` is `ode`. */
  readonly gamma: number;
  /** γ over t in place of `gamma`: 1 to 8 knots [t, γ], ascending in t, with straight lines between them. Left out, γ is the same at every t. */
  readonly gammaCurve?: GammaCurve | undefined;
  /** Self-conditioning guidance w, an input of the network, 0.5 … 5 as in training (up to 8 accepted). */
  readonly selfCondScale: number;
  /** Guidance ω towards the prompt (CFG), 0 … 20; 1 switches it off. Another value needs a prompt, and costs a pass a step. */
  readonly cfgScale: number;
  /** How the N + 1 times are laid out. `logit_normal` is drawn from the seed, `quantile` has its quantiles instead. */
  readonly schedule: Schedule;
  /** How the ODE is followed from one time to the next; the SDE knows `euler` only. */
  readonly solver: SolverName;
  /** Layout of JAX's threefry random bits: `original` is that of the official sampler. */
  readonly rng: RngLayout;
  /** Integer, 0 … 2³² − 1. The same seed and settings give the same text. */
  readonly seed: number;
  /** Number of positions L, those of a prompt included; 1 … the model's `maxLength`. */
  readonly length: number;
}

/** How the state goes on: by the ODE, or with fresh noise, by the SDE. */
export type Method = "ode" | "sde";
/** How the times of the steps are laid out. */
export type Schedule = "uniform" | "logit_normal" | "quantile";
/** How the ODE is followed from one time to the next. */
export type SolverName = "euler" | "multistep";
export type RngLayout = "original" | "partitionable";

/** Positions of the longest text of any model. */
export const MOST_POSITIONS = 2 ** 16;

/** Most samples that one run writes at once. */
export const LARGEST_BATCH = 1024;

/** Least and greatest value of a numeric setting, both allowed. */
export interface SettingLimits {
  readonly least: number;
  readonly greatest: number;
  readonly integer: boolean;
}

/** The limits that hold for every model; `settingLimits` adds that of `length`. */
export const SETTING_LIMITS = {
  steps: { least: 1, greatest: 1024, integer: true },
  gamma: { least: 0, greatest: 8, integer: false } satisfies typeof GAMMA_LIMITS,
  selfCondScale: { least: 0.5, greatest: 8, integer: false },
  cfgScale: { least: 0, greatest: 20, integer: false },
  seed: { least: 0, greatest: 2 ** 32 - 1, integer: true },
} as const satisfies Record<string, SettingLimits>;

/** The seed that comes so many after another; after the greatest of all comes 0. */
export function seedAfter(seed: number, by: number): number {
  return (seed + by) % (SETTING_LIMITS.seed.greatest + 1);
}

/** A seed for a run that is to be unlike any other. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/**
 * Checks the number of samples of a run.
 * @throws {SettingsError}
 */
export function checkBatch(batch: number): void {
  if (isWithin(batch, { least: 1, greatest: LARGEST_BATCH, integer: true })) return;
  throw new SettingsError(`batch is ${batch}.`, `Give an integer from 1 to ${LARGEST_BATCH}.`);
}

/** The same for a run without a prompt, in which there is nothing for ω to guide towards. */
export function unguided(settings: SamplerSettings): SamplerSettings {
  return { ...settings, cfgScale: 1 };
}

/** The limits of every numeric setting for a model that writes at most `maxLength` tokens. */
export function settingLimits(maxLength: number) {
  return { ...SETTING_LIMITS, length: { least: 1, greatest: maxLength, integer: true } } satisfies Record<
    string,
    SettingLimits
  >;
}

/** Whether `value` is a number within `limits`. */
export function isWithin(value: unknown, { least, greatest, integer }: SettingLimits): boolean {
  const fits = typeof value === "number" && value >= least && value <= greatest;
  return fits && (!integer || Number.isInteger(value));
}

/** What can be chosen where a setting is a word. */
export const SETTING_CHOICES = {
  method: ["ode", "sde"],
  schedule: ["uniform", "logit_normal", "quantile"],
  solver: ["euler", "multistep"],
  rng: ["original", "partitionable"],
} as const satisfies { readonly [Name in "method" | "schedule" | "solver" | "rng"]: readonly SamplerSettings[Name][] };

/**
 * Checks settings before a run, for a model of at most `maxLength` positions. `prompted` is whether the run has a prompt.
 * @throws {SettingsError} one is not a number in its range, or not one of its choices, or two of them exclude each
 *   other; the message names it.
 */
export function checkSettings(settings: SamplerSettings, maxLength: number, prompted = false): void {
  const limits = settingLimits(maxLength);
  for (const name of Object.keys(limits) as (keyof typeof limits)[]) {
    const { least, greatest, integer } = limits[name];
    const value: unknown = settings[name];
    if (isWithin(value, limits[name])) continue;
    throw new SettingsError(
      `${name} is ${String(value)}.`,
      `Give ${integer ? "an integer" : "a number"} from ${least} to ${greatest}.`,
    );
  }
  for (const name of Object.keys(SETTING_CHOICES) as (keyof typeof SETTING_CHOICES)[]) {
    const choices: readonly string[] = SETTING_CHOICES[name];
    if (choices.includes(settings[name])) continue;
    throw new SettingsError(`${name} is ${String(settings[name])}.`, `Choose ${choices.join(" or ")}.`);
  }
  if (settings.gammaCurve) checkGammaCurve(settings.gammaCurve);
  if (settings.method === "sde" && settings.solver !== "euler") {
    throw new SettingsError(
      `solver is ${settings.solver}, which the SDE does not have.`,
      "Choose euler, or the method ode.",
    );
  }
  if (!prompted && settings.cfgScale !== 1) {
    throw new SettingsError(
      `cfgScale is ${settings.cfgScale}, but there is no prompt to guide towards.`,
      "Give a prompt, or 1.",
    );
  }
}
