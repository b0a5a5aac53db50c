import { describeSettings } from "../../player/run/settingsInWords";
import { isMember } from "../session/experiments/comparison";
import { EXPERIMENTS } from "../session/experiments/experiments";
import type { ShelfModel } from "../session/models/library";
import { turnTo } from "../session/models/turnTo";
import type { Run } from "../session/runs/shelfRun";
import type { Studio } from "../session/studio";
import { applyPreset, offeredPresets } from "../session/writing/presets";
import type { Words } from "../words/english";
import { type Deed, perform, type Shortcut } from "./action";
import { ACTIONS } from "./all";
import { experimentOn, whyNotNow } from "./experiments";
import { whyNot } from "./whyNot";

/** One line of the palette: an action, a preset, an experiment, a run of the shelf or a model. */
export interface Command {
  readonly id: string;
  readonly group: keyof Words["groups"];
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
  const words = studio.words.getState();
  return [
    ...ACTIONS.filter(({ id }) => id !== "open-palette").map((action) => ({
      ...action,
      label: words.actions[action.id],
      why: whyNot(action, studio),
      deed: action,
    })),
    ...presets(studio),
    ...EXPERIMENTS.map(
      (experiment): Command => ({
        id: `experiment ${experiment.id}`,
        group: "Experiments",
        label: experiment.title(words),
        note: experiment.about(words),
        shortcuts: [],
        why: whyNotNow(experiment, studio),
        deed: experimentOn(experiment),
      }),
    ),
    ...studio.runs.getState().runs.map((run) => showRun(run, studio)),
    ...studio.library.getState().models.map((model) => turnToModel(model, studio)),
  ];
}

/** Those commands that have every word of `query`, where in a word it may stand; those that begin with them come first. */
export function matching(
  commands: readonly Command[],
  query: string,
  { groups }: Pick<Words, "groups">,
): readonly Command[] {
  const words = folded(query).split(" ").filter(Boolean);
  if (words.length === 0) return commands;
  return commands
    .map((command) => ({
      command,
      text: ` ${folded(`${command.label} ${groups[command.group]} ${command.note ?? ""}`)}`,
    }))
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
  const words = studio.words.getState().palette;
  return presets.map((preset) => ({
    id: `preset ${preset.id}`,
    group: "Presets",
    label: words.preset(preset.label),
    note: preset.note,
    shortcuts: [],
    why: preset === chosen ? words.sameSettings : null,
    deed: { enabled: ALWAYS, run: ({ settings }) => applyPreset(preset, settings) },
  }));
}

function showRun(run: Run, { runs, words, comparison }: Studio): Command {
  const { palette, player } = words.getState();
  const { shown } = comparison.getState();
  const isSeen = run.id === runs.getState().selectedId && (shown === null || isMember(shown, run));
  return {
    id: `run ${run.id}`,
    group: "Runs",
    label: palette.run(beginning(run.text) || palette.notRead),
    note: describeSettings(run.trajectory, player),
    shortcuts: [],
    why: isSeen ? palette.shown : null,
    deed: { enabled: ALWAYS, run: (studio) => studio.show(run.id) },
  };
}

function turnToModel(model: ShelfModel, studio: Studio): Command {
  const { manifest, source } = model;
  const { name, choice } = studio.model.getState();
  const words = studio.words.getState().palette;
  const isChosen = manifest?.name === name && source.kind === choice.kind;
  return {
    id: `model ${source.baseUrl}`,
    group: "Models",
    label: words.model(manifest?.title ?? source.label),
    note: source.label,
    shortcuts: [],
    why: isChosen ? words.inUse : manifest ? null : words.unreadable,
    deed: { enabled: ALWAYS, run: (studio) => turnTo(studio, model, null) },
  };
}

const MOST_LETTERS = 60;

function beginning(text: string): string {
  const plain = text.trim().replace(/\s+/g, " ");
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
