import type { SamplerSettings } from "../../../flow/settings";
import type { Manifest } from "../../../format/manifest";
import { ENGLISH, type Words } from "../../words/english";
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

/** What the paper takes to write freely, and to prompts; each in the order in which it is offered. */
const FROM_THE_PAPER = {
  official: { steps: 32, method: "sde", gamma: 1.5, selfCondScale: 3, ...PLAIN },
  draft: { steps: 8, method: "sde", gamma: 1.5, selfCondScale: 3, ...PLAIN },
  ode: { steps: 64, method: "ode", gamma: 0, selfCondScale: 3, ...PLAIN },
  "over-guided": { steps: 32, method: "sde", gamma: 1.5, selfCondScale: 8, ...PLAIN },
} as const satisfies Record<keyof Words["presets"]["free"], Preset["settings"]>;

const FOR_PROMPTS = {
  official: { steps: 64, method: "ode", gamma: 0, selfCondScale: 1, cfgScale: 2, ...PLAIN },
  draft: { steps: 8, method: "ode", gamma: 0, selfCondScale: 1, cfgScale: 2, ...PLAIN },
  unguided: { steps: 64, method: "ode", gamma: 0, selfCondScale: 1, cfgScale: 1, ...PLAIN },
  "over-guided": { steps: 64, method: "ode", gamma: 0, selfCondScale: 1, cfgScale: 8, ...PLAIN },
} as const satisfies Record<keyof Words["presets"]["prompted"], Preset["settings"]>;

/**
 * The presets for a model, one that writes to prompts or one that writes freely: its maker's own settings first, then
 * what else its maker offers, then the paper's. Of two that come to the same the first is there.
 */
export function presetsFor(
  defaults: SamplerSettings,
  prompted: boolean,
  offered: Manifest["presets"] = [],
  words: Words["presets"] = ENGLISH.presets,
): readonly Preset[] {
  const ofThePaper = prompted ? named(FOR_PROMPTS, words.prompted) : named(FROM_THE_PAPER, words.free);
  const known = [
    ...offered.map(({ name, note, settings }, at) => ({
      id: `offered-${at}`,
      label: name,
      note,
      settings: settingsOf({ ...defaults, ...settings }),
    })),
    // Being quick is all that a draft is for: nothing, beside a model that takes no more steps by itself.
    ...ofThePaper.filter(
      (preset) => preset.id !== "draft" || preset.settings.steps < defaults.steps || isPreset(preset, defaults, true),
    ),
  ];
  // Under a name of its own, where it has one: also while ω, which may be all that tells it from another, is idle.
  const first = known.find((preset) => isPreset(preset, defaults, true)) ?? {
    id: "own",
    ...words.own,
    settings: settingsOf(defaults),
  };
  const presets: Preset[] = [first];
  for (const preset of known) {
    const values = { ...defaults, ...preset.settings };
    if (!presets.some((before) => isPreset(before, values, prompted))) presets.push(preset);
  }
  return presets;
}

function named<Id extends string>(
  presets: Readonly<Record<Id, Preset["settings"]>>,
  words: Readonly<Record<Id, Pick<Preset, "label" | "note">>>,
): Preset[] {
  return (Object.keys(presets) as Id[]).map((id) => ({ id, ...words[id], settings: presets[id] }));
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
    (settings.method === "ode" || (settings.gamma === values.gamma && !values.gammaCurve)) &&
    settings.selfCondScale === values.selfCondScale &&
    settings.schedule === values.schedule &&
    settings.solver === values.solver &&
    (!prompted || (settings.cfgScale ?? values.cfgScale) === values.cfgScale)
  );
}

/** The presets for the next run as things stand, and the one that its settings are. */
export function offeredPresets({
  settings,
  model,
  draft,
  words,
}: Pick<Studio, "settings" | "model" | "draft" | "words">) {
  const { values, defaults } = settings.getState();
  const { manifest } = model.getState();
  const prompted = !writesFreely(manifest, draft.getState().prompt);
  const presets = presetsFor(defaults, prompted, manifest?.presets, words.getState().presets);
  return { presets, chosen: presets.find((preset) => isPreset(preset, values, prompted)) };
}

/** Takes a preset's settings. An ODE leaves γ alone, so that switching back to SDE finds it again. */
export function applyPreset({ settings: { gamma, ...others } }: Preset, settings: Studio["settings"]): void {
  settings.getState().apply(others.method === "ode" ? others : { ...others, gamma });
}
