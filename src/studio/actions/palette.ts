import { describeSettings } from "../../player/run/settingsInWords";
import { EXPERIMENTS } from "../session/experiments/experiments";
import type { ShelfModel } from "../session/models/library";
import { turnTo } from "../session/models/turnTo";
import type { Run } from "../session/runs/shelfRun";
import type { Studio } from "../session/studio";
import { applyPreset, offeredPresets } from "../session/writing/presets";
import { type Deed, perform, type Shortcut } from "./action";
import { ACTIONS } from "./all";
import { experimentOn, whyNotNow } from "./experiments";
import { whyNot } from "./whyNot";

/** One line of the palette: an action, a preset, an experiment, a run of the shelf or a model. */
export interface Command {
  readonly id: string;
  readonly group: string;
  readonly label: string;
  /** More about it, one line. */
  readonly note?: string;
  readonly shortcuts: readonly Shortcut[];
  /** What keeps it from being done now; null if nothing does. */
  readonly why: string | null;
  readonly deed: Deed;
}

const ALWAYS = () => true;

/** Everything that can be done, in the order of the list of shortcuts, and then what there is to turn to. */
export function commandsOf(studio: Studio): Command[] {
  return [
    ...ACTIONS.filter(({ id }) => id !== "open-palette").map((action) => ({
      ...action,
      why: whyNot(action, studio),
      deed: action,
    })),
    ...presets(studio),
    ...EXPERIMENTS.map((experiment) => ({
      id: `experiment ${experiment.id}`,
      group: "Experiments",
      label: experiment.title,
      note: experiment.about,
      shortcuts: [],
      why: whyNotNow(experiment, studio),
      deed: experimentOn(experiment),
    })),
    ...studio.runs.getState().runs.map((run) => showRun(run, studio)),
    ...studio.library.getState().models.map((model) => turnToModel(model, studio)),
  ];
}

/** Those commands that have every word of `query`, where in a word it may stand; those that begin with them come first. */
export function matching(commands: readonly Command[], query: string): readonly Command[] {
  const words = folded(query).split(" ").filter(Boolean);
  if (words.length === 0) return commands;
  return commands
    .map((command) => ({ command, text: ` ${folded(`${command.label} ${command.group} ${command.note ?? ""}`)}` }))
    .filter(({ text }) => words.every((word) => text.includes(word)))
    .map(({ command, text }) => ({ command, starts: words.filter((word) => text.includes(` ${word}`)).length }))
    .sort((a, b) => b.starts - a.starts)
    .map(({ command }) => command);
}

/** Does what a command says, if it can be done. */
export function obey({ deed }: Command, studio: Studio): void {
  perform(deed, studio);
}

function presets(studio: Studio): Command[] {
  const { presets, chosen } = offeredPresets(studio);
  return presets.map((preset) => ({
    id: `preset ${preset.id}`,
    group: "Presets",
    label: `Preset: ${preset.label}`,
    note: preset.note,
    shortcuts: [],
    why: preset === chosen ? "The settings are those already." : null,
    deed: { enabled: ALWAYS, run: ({ settings }) => applyPreset(preset, settings) },
  }));
}

function showRun(run: Run, { runs }: Studio): Command {
  return {
    id: `run ${run.id}`,
    group: "Runs",
    label: `Show run: ${beginning(run.text)}`,
    note: describeSettings(run.trajectory.settings),
    shortcuts: [],
    why: run.id === runs.getState().selectedId ? "It is the one shown." : null,
    deed: { enabled: ALWAYS, run: ({ runs }) => runs.getState().select(run.id) },
  };
}

function turnToModel(model: ShelfModel, studio: Studio): Command {
  const { manifest, source } = model;
  const { name, choice } = studio.model.getState();
  const isChosen = manifest?.name === name && source.kind === choice.kind;
  return {
    id: `model ${source.baseUrl}`,
    group: "Models",
    label: `Turn to ${manifest?.title ?? source.label}`,
    note: source.label,
    shortcuts: [],
    why: isChosen ? "It is the one in use." : manifest ? null : "It cannot be read at the moment.",
    deed: { enabled: ALWAYS, run: (studio) => turnTo(studio, model, null) },
  };
}

const MOST_LETTERS = 60;

function beginning(text: string): string {
  const plain = text.trim().replace(/\s+/g, " ");
  if (plain === "") return "not read yet";
  return plain.length > MOST_LETTERS ? `${plain.slice(0, MOST_LETTERS - 1)}…` : plain;
}

/** Small letters without accents, words parted by one space. */
function folded(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[\s:,;.()“”"]+/g, " ")
    .trim();
}
