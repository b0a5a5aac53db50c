import type { SamplerSettings } from "../../flow/settings";

/** Settings worth knowing, under a name. Seed and length are a person's own. */
export interface Preset {
  readonly id: string;
  readonly label: string;
  /** What it shows, in one sentence. */
  readonly note: string;
  readonly settings: Pick<SamplerSettings, "steps" | "method" | "gamma" | "selfCondScale" | "schedule" | "solver"> &
    Partial<Pick<SamplerSettings, "cfgScale">>;
}

const FROM_THE_PAPER: readonly Preset[] = [
  {
    id: "official",
    label: "Official, 32 steps",
    note: "What the paper uses to write freely.",
    settings: { steps: 32, method: "sde", gamma: 1.5, selfCondScale: 3, schedule: "logit_normal", solver: "euler" },
  },
  {
    id: "quick",
    label: "Quick, 8",
    note: "A quarter of the steps: four times as fast, and rougher.",
    settings: { steps: 8, method: "sde", gamma: 1.5, selfCondScale: 3, schedule: "logit_normal", solver: "euler" },
  },
  {
    id: "ode",
    label: "Pure ODE, 64",
    note: "No fresh noise: small steps, and what is wrong early stays wrong.",
    settings: { steps: 64, method: "ode", gamma: 0, selfCondScale: 3, schedule: "logit_normal", solver: "euler" },
  },
  {
    id: "over-guided",
    label: "Over-guided",
    note: "Guidance beyond anything it was trained with: watch the text repeat itself or break.",
    settings: { steps: 32, method: "sde", gamma: 1.5, selfCondScale: 8, schedule: "logit_normal", solver: "euler" },
  },
];

/** The presets for a model: its maker's own settings first, where they are not one of the paper's. */
export function presetsFor(defaults: SamplerSettings): readonly Preset[] {
  if (FROM_THE_PAPER.some((preset) => isPreset(preset, defaults))) return FROM_THE_PAPER;
  const { steps, method, gamma, selfCondScale, schedule, solver, cfgScale } = defaults;
  const own: Preset = {
    id: "own",
    label: "This model's own",
    note: "What its maker found to write best.",
    settings: { steps, method, gamma, selfCondScale, schedule, solver, cfgScale },
  };
  return [own, ...FROM_THE_PAPER];
}

/** Whether `values` are the preset's. γ counts only where noise is added. */
export function isPreset({ settings }: Preset, values: SamplerSettings): boolean {
  return (
    settings.steps === values.steps &&
    settings.method === values.method &&
    (settings.method === "ode" || settings.gamma === values.gamma) &&
    settings.selfCondScale === values.selfCondScale &&
    settings.schedule === values.schedule &&
    settings.solver === values.solver &&
    (settings.cfgScale ?? values.cfgScale) === values.cfgScale
  );
}
