import * as z from "zod/mini";
import { createStore, type StoreApi } from "zustand/vanilla";
import { isWithin, randomSeed, type SamplerSettings, settingLimits } from "../../../flow/settings";
import { settingsSchema } from "../../../format/settingsSchema";
import { keep, readKept, type TextStorage } from "../kept/persisted";

/** The settings that are numbers. */
export type NumberSetting = "steps" | "gamma" | "selfCondScale" | "cfgScale" | "seed" | "length";

/** Something typed that is no usable number, kept as typed until it is put right. */
export interface Refusal {
  readonly typed: string;
}

export interface SettingsStore {
  /** Always usable; what a next run would use. */
  readonly values: SamplerSettings;
  readonly refusals: Readonly<Partial<Record<NumberSetting, Refusal>>>;
  /** What the model's maker recommends. */
  readonly defaults: SamplerSettings;
  /** Most tokens the model can write. */
  readonly maxLength: number;
  /** Whether any of it is the person's choice; until then the model's defaults are taken as they come. */
  readonly chosen: boolean;
  readonly seedLocked: boolean;
  /** Whether a run has begun with this seed. */
  readonly seedUsed: boolean;

  /** A solver goes with its method: one that the new method does not have gives way, and the model's own comes back. */
  set(change: Partial<Omit<SamplerSettings, NumberSetting>>): void;
  /**
   * Takes a number as typed or slid. What no run can use is refused and `values` stays as it was. `asTyped` is what stands in
   * the field, where a language writes numbers in another way.
   */
  enter(name: NumberSetting, typed: string, asTyped?: string): void;
  /** Drops what was refused; the field shows the value again. */
  forgive(name: NumberSetting): void;
  /** Takes a preset's settings; seed and length stay. */
  apply(preset: Partial<SamplerSettings>): void;
  /** Takes all settings of a run, its seed too, as far as the model allows them. The next run uses that seed. */
  adopt(settings: SamplerSettings): void;
  /** Learns what the model wants. What the person chose stays, as far as the model allows it; the rest is the model's. */
  learn(defaults: SamplerSettings, maxLength: number): void;
  /** Turns to another model: what was kept for it comes back, and what is chosen from now on is kept for it. */
  turnTo(model: string, defaults: SamplerSettings, maxLength: number): void;
  /** Makes all that the person decides what it was at some time; another seed is one for the next run. */
  restore(before: Pick<SettingsStore, "values" | "chosen" | "seedLocked">): void;
  drawSeed(): void;
  lockSeed(locked: boolean): void;
  /** The settings for a run that begins now. An unlocked seed that a run has had already is drawn anew. */
  take(): SamplerSettings;
}

/** Used until trace or manifest say better; the paper's settings for unconditional text. */
const PAPER: SamplerSettings = {
  steps: 32,
  method: "sde",
  gamma: 1.5,
  selfCondScale: 3,
  cfgScale: 1,
  schedule: "logit_normal",
  solver: "euler",
  rng: "original",
  seed: 1,
  length: 64,
};

const schema = z.object({ values: settingsSchema, chosen: z.boolean(), seedLocked: z.boolean() });

export type DrawSeed = () => number;

/** Settings are kept for each model: what suits one is seldom good for another. */
export function createSettings(
  storage: TextStorage | null,
  model: string,
  drawSeed: DrawSeed = randomSeed,
): StoreApi<SettingsStore> {
  let key = keyOf(model);
  // As this tab left them, which the browser may keep nowhere.
  const remembered = new Map<string, Kept>();
  const kept = readKept(storage, key, schema);
  // What the person has chosen one by one, or all of it: a run's settings, and those of an earlier visit, go together.
  let own: Set<keyof SamplerSettings> | "all" = kept?.chosen ? "all" : new Set();
  const choose = (change: Partial<SamplerSettings>) => {
    if (own === "all") return;
    for (const name of Object.keys(change)) own.add(name as keyof SamplerSettings);
  };
  const learnt = (values: SamplerSettings, defaults: SamplerSettings, maxLength: number) => {
    const chosen = own === "all" ? values : chosenOf(values, own);
    const wanted = fitting({ ...defaults, seed: values.seed }, chosen, defaults);
    return { defaults, maxLength, values: { ...wanted, length: Math.min(wanted.length, maxLength) } };
  };
  const store = createStore<SettingsStore>()((set, get) => ({
    values: fitting(kept?.values ?? { ...PAPER, seed: drawSeed() }, {}, PAPER),
    refusals: {},
    defaults: PAPER,
    maxLength: Math.max(PAPER.length, kept?.values.length ?? 0),
    chosen: kept?.chosen ?? false,
    seedLocked: kept?.seedLocked ?? false,
    seedUsed: false,

    set: (change) => {
      choose(change);
      set(({ values, defaults }) => ({ chosen: true, values: fitting(values, change, defaults) }));
    },
    enter: (name, typed, asTyped = typed) => {
      if (!isUsable(name, typed, get().maxLength)) {
        set(({ refusals }) => ({ refusals: { ...refusals, [name]: { typed: asTyped } } }));
        return;
      }
      get().forgive(name);
      choose({ [name]: Number(typed) });
      set(({ values, seedUsed, chosen }) => ({
        // A seed says nothing about how to sample.
        chosen: chosen || name !== "seed",
        values: fitting(values, { [name]: Number(typed) }, get().defaults),
        seedUsed: name === "seed" ? false : seedUsed,
      }));
    },
    forgive: (name) => set(({ refusals: { [name]: _, ...others } }) => ({ refusals: others })),
    apply: ({ seed: _, length: __, ...preset }) => {
      choose(preset);
      set(({ values, defaults, refusals: { seed, length } }) => ({
        chosen: true,
        values: fitting(values, preset, defaults),
        refusals: { ...(seed ? { seed } : {}), ...(length ? { length } : {}) },
      }));
    },
    adopt: (settings) => {
      own = "all";
      set(({ maxLength }) => ({
        chosen: true,
        values: { ...settings, length: Math.min(settings.length, maxLength) },
        refusals: {},
        seedUsed: false,
      }));
    },
    learn: (defaults, maxLength) => set(({ values }) => learnt(values, defaults, maxLength)),
    turnTo: (model, defaults, maxLength) => {
      remembered.set(key, pick(get()));
      key = keyOf(model);
      const kept = remembered.get(key) ?? readKept(storage, key, schema);
      const values = kept?.values ?? { ...defaults, seed: get().values.seed };
      own = kept?.chosen ? "all" : new Set();
      // In one, for what a turn brings is nobody's change.
      set({
        ...learnt(values, defaults, maxLength),
        chosen: kept?.chosen ?? false,
        seedLocked: kept?.seedLocked ?? false,
        refusals: {},
        seedUsed: false,
      });
    },
    restore: ({ values, chosen, seedLocked }) => {
      // What is as the model wants it goes on to follow the model.
      if (!chosen) own = new Set();
      else if (own !== "all") own = differing(values, get().defaults);
      set(({ values: { seed }, seedUsed, maxLength }) => ({
        values: { ...values, length: Math.min(values.length, maxLength) },
        ...{ chosen, seedLocked, refusals: {} },
        seedUsed: seedUsed && seed === values.seed,
      }));
    },
    drawSeed: () => {
      get().forgive("seed");
      set(({ values }) => ({ values: { ...values, seed: drawSeed() }, seedUsed: false }));
    },
    lockSeed: (seedLocked) => set({ seedLocked }),
    take: () => {
      const { seedUsed, seedLocked } = get();
      if (seedUsed && !seedLocked) get().drawSeed();
      set({ seedUsed: true });
      return get().values;
    },
  }));
  keep(store, storage, () => key, pick);
  return store;
}

/** What outlasts a turn to another model. */
type Kept = Pick<SettingsStore, "values" | "chosen" | "seedLocked">;

function pick({ values, chosen, seedLocked }: SettingsStore): Kept {
  return { values, chosen, seedLocked };
}

function keyOf(model: string): string {
  return `elf.settings.${model}`;
}

/** The names of what is other than by default. */
function differing(values: SamplerSettings, defaults: SamplerSettings): Set<keyof SamplerSettings> {
  const names = Object.keys({ ...values, ...defaults }) as (keyof SamplerSettings)[];
  return new Set(names.filter((name) => values[name] !== defaults[name]));
}

/** Those of `values` that are named. */
function chosenOf(values: SamplerSettings, names: ReadonlySet<keyof SamplerSettings>): Partial<SamplerSettings> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.has(name as keyof SamplerSettings)));
}

/** `values` changed: the SDE knows Euler's steps only, and whoever turns to the ODE gets its solver from the model. */
function fitting(
  values: SamplerSettings,
  change: Partial<SamplerSettings>,
  defaults: SamplerSettings,
): SamplerSettings {
  // One γ takes the place of a curve.
  const { gammaCurve, ...others } = values;
  const isLeft = gammaCurve !== undefined && change.gamma === undefined && !("gammaCurve" in change);
  const changed = { ...others, ...(isLeft ? { gammaCurve } : {}), ...change };
  if (changed.method === "sde") return { ...changed, solver: "euler" };
  const turned = values.method === "sde" && change.solver === undefined;
  return turned ? { ...changed, solver: defaults.solver } : changed;
}

/** Whether `typed` can be the value of `name`. */
function isUsable(name: NumberSetting, typed: string, maxLength: number): boolean {
  return typed.trim() !== "" && isWithin(Number(typed), settingLimits(maxLength)[name]);
}
