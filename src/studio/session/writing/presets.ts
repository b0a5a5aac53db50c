import type { SamplerSettings } from "../../../flow/settings";
import type { Manifest } from "../../../format/manifest";
import type { Studio } from "../studio";
import { writesFreely } from "./prompt";

/** Settings worth knowing, under a name. Seed and length are a person's own. */
export interface Preset {
  readonly id: string;
  readonly label: string;
  /** What it shows, in one sentence. */
  readonly note: string;
  readonly settings: Pick<SamplerSettings, "steps" | "method" | "gamma" | "selfCondScale" | "schedule" | "solver"> &
    Partial<Pick<SamplerSettings, "cfgScale">>;
}

const PLAIN = { schedule: "logit_normal", solver: "euler" } as const;

const FROM_THE_PAPER: readonly Preset[] = [
  {
    id: "official",
    label: "Official, 32 steps",
    note: "What the paper uses to write freely.",
    settings: { steps: 32, method: "sde", gamma: 1.5, selfCondScale: 3, ...PLAIN },
  },
  {
    id: "draft",
    label: "Draft, 8",
    note: "A quarter of the steps: four times as fast, and rougher.",
    settings: { steps: 8, method: "sde", gamma: 1.5, selfCondScale: 3, ...PLAIN },
  },
  {
    id: "ode",
    label: "Pure ODE, 64",
    note: "No fresh noise: small steps, and what is wrong early stays wrong.",
    settings: { steps: 64, method: "ode", gamma: 0, selfCondScale: 3, ...PLAIN },
  },
  {
    id: "over-guided",
    label: "Over-guided",
    note: "Guidance beyond anything it was trained with: watch the text repeat itself or break.",
    settings: { steps: 32, method: "sde", gamma: 1.5, selfCondScale: 8, ...PLAIN },
  },
];

const FOR_PROMPTS: readonly Preset[] = [
  {
    id: "official",
    label: "Official, 64 steps",
    note: "What the paper uses to write to a prompt.",
    settings: { steps: 64, method: "ode", gamma: 0, selfCondScale: 1, cfgScale: 2, ...PLAIN },
  },
  {
    id: "draft",
    label: "Draft, 8",
    note: "An eighth of the steps: eight times as fast, and rougher.",
    settings: { steps: 8, method: "ode", gamma: 0, selfCondScale: 1, cfgScale: 2, ...PLAIN },
  },
  {
    id: "unguided",
    label: "Without guidance",
    note: "It reads the prompt and nothing draws it there: half the time, and it wanders off more easily.",
    settings: { steps: 64, method: "ode", gamma: 0, selfCondScale: 1, cfgScale: 1, ...PLAIN },
  },
  {
    id: "over-guided",
    label: "Over-guided",
    note: "Far more guidance than anybody needs: watch the text repeat itself or break.",
    settings: { steps: 64, method: "ode", gamma: 0, selfCondScale: 1, cfgScale: 8, ...PLAIN },
  },
];

/**
 * The presets for a model, one that writes to prompts or one that writes freely: its maker's own settings first, then
 * what else its maker offers, then the paper's. Of two that come to the same the first is there.
 */
export function presetsFor(
  defaults: SamplerSettings,
  prompted: boolean,
  offered: Manifest["presets"] = [],
): readonly Preset[] {
  const named = [
    ...offered.map(({ name, note, settings }, at) => ({
      id: `offered-${at}`,
      label: name,
      note,
      settings: settingsOf({ ...defaults, ...settings }),
    })),
    // Being quick is all that a draft is for: nothing, beside a model that takes no more steps by itself.
    ...(prompted ? FOR_PROMPTS : FROM_THE_PAPER).filter(
      (preset) => preset.id !== "draft" || preset.settings.steps < defaults.steps || isPreset(preset, defaults, true),
    ),
  ];
  // Under a name of its own, where it has one: also while ω, which may be all that tells it from another, is idle.
  const first = named.find((preset) => isPreset(preset, defaults, true)) ?? {
    id: "own",
    label: "This model's own",
    note: "What its maker found to write best.",
    settings: settingsOf(defaults),
  };
  const presets: Preset[] = [first];
  for (const preset of named) {
    const values = { ...defaults, ...preset.settings };
    if (!presets.some((before) => isPreset(before, values, prompted))) presets.push(preset);
  }
  return presets;
}

/** Those of the settings that a preset chooses. */
function settingsOf({ steps, method, gamma, selfCondScale, schedule, solver, cfgScale }: SamplerSettings) {
  return { steps, method, gamma, selfCondScale, schedule, solver, cfgScale };
}

/** Whether `values` come to what the preset is. γ counts only where noise is added, ω only in a run with a prompt. */
export function isPreset({ settings }: Preset, values: SamplerSettings, prompted: boolean): boolean {
  return (
    settings.steps === values.steps &&
    settings.method === values.method &&
    (settings.method === "ode" || settings.gamma === values.gamma) &&
    settings.selfCondScale === values.selfCondScale &&
    settings.schedule === values.schedule &&
    settings.solver === values.solver &&
    (!prompted || (settings.cfgScale ?? values.cfgScale) === values.cfgScale)
  );
}

/** The presets for the next run as things stand, and the one that its settings are. */
export function offeredPresets({ settings, model, draft }: Pick<Studio, "settings" | "model" | "draft">) {
  const { values, defaults } = settings.getState();
  const { manifest } = model.getState();
  const prompted = !writesFreely(manifest, draft.getState().prompt);
  const presets = presetsFor(defaults, prompted, manifest?.presets);
  return { presets, chosen: presets.find((preset) => isPreset(preset, values, prompted)) };
}

/** Takes a preset's settings. An ODE leaves γ alone, so that switching back to SDE finds it again. */
export function applyPreset({ settings: { gamma, ...others } }: Preset, settings: Studio["settings"]): void {
  settings.getState().apply(others.method === "ode" ? others : { ...others, gamma });
}
