import { type ParseArgsConfig, parseArgs } from "node:util";
import { DEFAULT_MODEL } from "../delivery/shipped";
import { checkSources } from "../flow/condition";
import { ElfError } from "../flow/errors";
import { type GammaCurve, gammaCurveIn } from "../flow/gammaCurve";
import type { Source } from "../flow/network";
import { isEmpty, type Recipe, rootOf } from "../flow/recipe";
import { checkBatch, checkSettings, isWithin, type SamplerSettings, SETTING_CHOICES, unguided } from "../flow/settings";
import { wellFormed } from "../flow/text";
import { checkTowards, type Towards } from "../flow/towards";
import type { Manifest } from "../format/manifest";

/** A command line that cannot be understood. */
export class UsageError extends ElfError {
  readonly code = "usage";

  constructor(message: string, action = "Add --help for the options.", options?: ErrorOptions) {
    super(message, action, options);
  }
}

interface Option {
  readonly name: string;
  /** Stands for the value in the help; none for a switch. */
  readonly value?: string;
  readonly help: string;
  /** The setting it changes, whose default is the model's. */
  readonly setting?: keyof SamplerSettings;
  /** Whether it may be given several times. */
  readonly multiple?: true;
}

/** The options of `generate`. */
export const OPTIONS: readonly Option[] = [
  {
    name: "model",
    value: "NAME|DIR|URL",
    help: `a folder under models/, any exported folder, its address, or OWNER/NAME of the hub [${DEFAULT_MODEL}]`,
  },
  {
    name: "method",
    value: "ode|sde",
    setting: "method",
    help: "the velocity alone, or with fresh noise before each step",
  },
  { name: "steps", value: "N", setting: "steps", help: "steps from noise to text, 1 to 1024" },
  { name: "gamma", value: "G", setting: "gamma", help: "fresh noise of the SDE, 0 to 8" },
  {
    name: "gamma-curve",
    value: "T=G+T=G…",
    help: "γ over t in its place, at most 8 knots: 0=0.5+0.4=3; none leaves it out",
  },
  { name: "cfg", value: "W", setting: "cfgScale", help: "guidance towards the prompt, 0 to 20; 1 is none" },
  { name: "self-cond-cfg", value: "W", setting: "selfCondScale", help: "self-conditioning guidance, 0.5 to 8" },
  {
    name: "schedule",
    value: "uniform|logit_normal|quantile",
    setting: "schedule",
    help: "times: even, drawn from the seed, or their quantiles",
  },
  {
    name: "solver",
    value: "euler|multistep",
    setting: "solver",
    help: "how the ODE is followed; multistep looks back",
  },
  { name: "rng", value: "original|partitionable", setting: "rng", help: "layout of JAX's random bits" },
  { name: "seed", value: "S", setting: "seed", help: "0 to 4294967295; the same seed writes the same text" },
  { name: "length", value: "L", setting: "length", help: "positions, those of a prompt included" },
  { name: "batch", value: "B", help: "samples written at once, sharing one schedule [one for each prompt, or 1]" },
  {
    name: "best-of",
    value: "N",
    help: "write by N seeds, --seed and those after it, and keep the text the model is surest of; 1 to 64",
  },
  {
    name: "prompt",
    value: "TEXT",
    multiple: true,
    help: "text to write to; again for each sample, or once for all; left out, a model that can writes freely",
  },
  { name: "prompt-ids", value: "I,J,…", multiple: true, help: "the same as numbers of tokens" },
  { name: "towards", value: "SEED", help: "start between the noise of --seed and that of this one" },
  { name: "weight", value: "W", help: "how far towards it, 0 to 1" },
  { name: "back", value: "TEXT", help: "start from the noise of this text, which the ODE leads back to" },
  { name: "from", value: "TRACE", help: "go on from a recorded run, by its settings but for those named here" },
  { name: "at", value: "STEP", help: "the step of that run to go on from, 0 for its noise" },
  {
    name: "hold",
    value: "POSITION=WORD",
    multiple: true,
    help: "keep a word at a position of the text, counted from 1; again for more",
  },
  { name: "hold-ids", value: "POSITION=I,J,…", multiple: true, help: "the same as numbers of tokens" },
  { name: "json", help: "print one JSON object with text, tokens, settings, times" },
  { name: "dump", value: "FILE", help: "write t, z0, z and tokens as JSON, to compare samplers" },
  { name: "trace", value: "FILE", help: "write the recorded run that the page plays before a model is loaded" },
  { name: "help", help: "print this and exit" },
];

/** Most seeds that one text is chosen from. */
const MOST_TRIES = 64;

/** A text, or the numbers of its tokens. */
export type HeldWord = { readonly position: number } & ({ readonly word: string } | { readonly ids: Source });

export interface CommandLine {
  readonly model: string;
  readonly json: boolean;
  readonly help: boolean;
  readonly dump: string | undefined;
  readonly trace: string | undefined;
  /** B, samples to write. */
  readonly batch: number;
  /** How many seeds to write by, one of whose texts is kept; undefined where none is to be chosen. */
  readonly bestOf: number | undefined;
  /** Prompts as texts; none where they are given as numbers, or not at all. */
  readonly prompts: readonly string[];
  /** Prompts as numbers of tokens. */
  readonly promptIds: readonly Source[];
  /** Whose noise to start towards, and how far. */
  readonly towards: Towards | undefined;
  /** The text from whose noise to start. */
  readonly back: string | undefined;
  /** The recorded run to go on from, and the step of it. */
  readonly from: { readonly file: string; readonly step: number } | undefined;
  /** What is to be held, by the position of its first token, from 0. */
  readonly held: readonly HeldWord[];
  /** The settings that were named, not yet checked against a model. */
  readonly changes: Partial<SamplerSettings>;
}

/**
 * Reads the arguments after the command's name.
 * @throws {UsageError} an unknown option, a value that is missing, a number that is none, or options that exclude each other.
 */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const values = parse(argv);
  const changes: Record<string, string | number | GammaCurve | undefined> = {};
  for (const { name, setting } of OPTIONS) {
    const value = values[name];
    if (setting && typeof value === "string") changes[setting] = isWord(setting) ? value : numberOf(name, value);
  }
  const curve = values["gamma-curve"];
  if (typeof curve === "string") changes.gammaCurve = curveIn(curve);
  // A γ that is named takes the place of the curve of the run that is gone on from.
  else if (changes.gamma !== undefined) changes.gammaCurve = undefined;
  const text = (name: string) => (typeof values[name] === "string" ? (values[name] as string) : undefined);
  const texts = (name: string) => (Array.isArray(values[name]) ? (values[name] as string[]) : []);
  const named = texts("prompt").map(wellFormed);
  // Where none of them says anything there is no prompt; between others an empty one is a fault.
  const prompts = named.every((text) => isEmpty({ text })) ? [] : named;
  const promptIds = texts("prompt-ids").map((list) => idsOf("prompt-ids", list));
  if (named.length > 0 && promptIds.length > 0) {
    throw new UsageError("--prompt and --prompt-ids exclude each other.", "Give all prompts in one of the two ways.");
  }
  const given = text("batch");
  const batch = given === undefined ? Math.max(1, named.length + promptIds.length) : numberOf("batch", given);
  const from = branchIn(text("from"), text("at"));
  const towards = towardsIn(text("towards"), text("weight"));
  const held = [
    ...texts("hold").map((value) => ({
      ...placeIn("hold", value),
      word: wellFormed(value.slice(value.indexOf("=") + 1)),
    })),
    ...texts("hold-ids").map((value) => ({
      ...placeIn("hold-ids", value),
      ids: idsOf("hold-ids", value.slice(value.indexOf("=") + 1)),
    })),
  ];
  if (from && prompts.length + promptIds.length > 0) {
    throw new UsageError("--from goes on with the prompt of its run.", "Leave the prompt out, or --from.");
  }
  const back = text("back");
  const start = towards ? "towards" : back === undefined ? undefined : "back";
  if (from && start) {
    throw new UsageError("--from goes on with the noise of its run.", `Leave --${start} out, or --from.`);
  }
  if (towards && back !== undefined) {
    throw new UsageError("--back starts from the noise of a text.", "Leave --towards out, or --back.");
  }
  const tries = text("best-of");
  const bestOf = tries === undefined ? undefined : triesIn(tries);
  const other = [from && "from", back !== undefined && "back", text("dump") !== undefined && "dump"].find(Boolean);
  if (bestOf !== undefined && other) {
    throw new UsageError(
      other === "dump"
        ? "--dump is of one run, and --best-of writes several."
        : `--best-of begins at the noise of several seeds, --${other} at one noise of its own.`,
      `Leave --best-of out, or --${other}.`,
    );
  }
  const single = [
    bestOf !== undefined && "best-of",
    text("trace") !== undefined && "trace",
    from && "from",
    start,
    held.length > 0 && "hold",
  ].find(Boolean);
  if (single && (batch !== 1 || (bestOf !== undefined && given !== undefined))) {
    throw new UsageError(`--${single} is for a single sample.`, "Give one prompt at most, and no --batch.");
  }
  return {
    model: text("model") ?? DEFAULT_MODEL,
    json: values.json === true,
    help: values.help === true,
    dump: text("dump"),
    trace: text("trace"),
    batch,
    bestOf,
    prompts,
    promptIds,
    towards,
    back,
    from,
    held,
    changes: changes as Partial<SamplerSettings>,
  };
}

/**
 * The model's defaults with the changes of the command line. All is checked but the tokens of prompts that are texts.
 * `parent` is the run to go on from: then its settings stand in the place of the defaults.
 * @throws {SettingsError | ConditionError} a value or a prompt that no run can use.
 */
export function settingsOf(
  { changes, batch, prompts, promptIds, towards }: CommandLine,
  manifest: Manifest,
  parent?: Recipe,
): SamplerSettings {
  const { architecture } = manifest;
  if (towards) checkTowards(towards);
  if (parent) {
    const settings = { ...parent.settings, ...changes };
    checkSettings(settings, architecture.maxLength, rootOf(parent).prompt !== undefined);
    return settings;
  }
  const prompted = prompts.length + promptIds.length > 0;
  // Without a prompt the model's own guidance has nothing to guide by; one that was asked for is refused below.
  const settings = { ...(prompted ? manifest.defaults : unguided(manifest.defaults)), ...changes };
  checkBatch(batch);
  // Of prompts that are texts only this much can be said before there is a tokenizer: whether the model takes any.
  const sources = architecture.maxInputLength === 0 ? [...promptIds, ...prompts.map(() => [])] : promptIds;
  if (sources.length > 0 || prompts.length === 0) checkSources(sources, batch, settings.length, architecture);
  checkSettings(settings, architecture.maxLength, prompted);
  return settings;
}

/** The help text, with the defaults of the model if one is there. */
export function helpText(manifest?: Manifest): string {
  const rows = OPTIONS.map(({ name, value, help, setting }) => {
    const fallback = setting ? ` [${manifest ? manifest.defaults[setting] : "the model's"}]` : "";
    return [`--${name}${value ? ` ${value}` : ""}`, help + fallback] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length));
  return [
    "usage: elf-playground generate [OPTIONS]      (here: npm run generate -- [OPTIONS])",
    "",
    `Writes a text from noise with an exported model${manifest ? ` (here: ${manifest.title})` : ""}.`,
    "",
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    "",
    "Defaults stand in brackets; the sampler's are the model's own.",
  ].join("\n");
}

/**
 * The arguments with each option and its value in one word. Node takes a value that begins with a dash for an option, but
 * texts may begin with one: what follows the name of an option that has a value is that value, unless it names an option.
 * @throws {UsageError} an option in the place of a value.
 */
function withValuesJoined(argv: readonly string[]): string[] {
  const joined: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] as string;
    const value = argv[at + 1];
    if (value === undefined || !OPTIONS.some((option) => option.value && word === `--${option.name}`)) {
      joined.push(word);
      continue;
    }
    if (isOption(value)) {
      throw new UsageError(
        `${word} has no value: ${value} is an option itself.`,
        `Give ${word} its value; if that is what it should be, write ${word}=${value}.`,
      );
    }
    joined.push(`${word}=${value}`);
    at++;
  }
  return joined;
}

/** Whether a word is `--json`, `--seed`, `--seed=3` or `-h`: one of ours, and not only something with dashes. */
function isOption(word: string): boolean {
  return word === "-h" || OPTIONS.some(({ name, value }) => word === `--${name}` || (value && namesValue(word, name)));
}

/** Whether a word is `--name=…` with nothing in it that only a text has. */
function namesValue(word: string, name: string): boolean {
  return word.startsWith(`--${name}=`) && !/\s/.test(word);
}

function parse(argv: readonly string[]): Record<string, string | boolean | (string | boolean)[] | undefined> {
  const options = Object.fromEntries(
    OPTIONS.map(({ name, value, multiple = false }) => [
      name,
      { type: value ? ("string" as const) : ("boolean" as const), multiple },
    ]),
  );
  return readWords(withValuesJoined(argv), options).values;
}

/**
 * Reads a command's words by Node's own reader: options, `--help` among them, and what is none.
 * @throws {UsageError} an option that there is not, or one without its value.
 */
export function readWords<const Options extends NonNullable<ParseArgsConfig["options"]>>(
  argv: readonly string[],
  options: Options,
  allowPositionals = false,
) {
  const help = { type: "boolean", short: "h" } as const;
  try {
    return parseArgs({ args: [...argv], allowPositionals, options: { ...options, help } });
  } catch (cause) {
    // Node's own sentence names the option; what follows it is advice for programmers.
    const [sentence = "The options cannot be read"] = String((cause as Error).message).split(/\.\s/);
    throw new UsageError(`${sentence.replace(/\.$/, "").replaceAll("\n", " ")}.`, undefined, { cause });
  }
}

function isWord(setting: keyof SamplerSettings): boolean {
  return setting in SETTING_CHOICES;
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new UsageError(`--${name} is ${JSON.stringify(text)}, which is not a number.`);
}

function idsOf(option: string, list: string): Source {
  const ids = list.split(",").map((text) => text.trim());
  if (ids.every((id) => /^\d+$/.test(id))) return ids.map(Number);
  throw new UsageError(`--${option} is ${JSON.stringify(list)}.`, "Give the numbers of tokens, parted by commas.");
}

function branchIn(file: string | undefined, at: string | undefined): CommandLine["from"] {
  if (file === undefined && at === undefined) return undefined;
  if (file === undefined) throw new UsageError("--at is a step of a recorded run.", "Name its file: --from TRACE");
  if (at === undefined) throw new UsageError("--from needs the step to go on from.", "Give it as --at STEP.");
  return { file, step: numberOf("at", at) };
}

function triesIn(text: string): number {
  const tries = numberOf("best-of", text);
  if (isWithin(tries, { least: 1, greatest: MOST_TRIES, integer: true })) return tries;
  throw new UsageError(`--best-of is ${text}.`, `Give an integer from 1 to ${MOST_TRIES}.`);
}

function curveIn(text: string): GammaCurve | undefined {
  if (text === "none") return undefined;
  const curve = gammaCurveIn(text);
  if (curve) return curve;
  throw new UsageError(
    `--gamma-curve is ${JSON.stringify(text)}.`,
    "Give 1 to 8 knots t=γ that ascend in t, joined by plus signs: 0=0.5+0.4=3+1=0",
  );
}

function towardsIn(seed: string | undefined, weight: string | undefined): Towards | undefined {
  if (seed === undefined && weight === undefined) return undefined;
  if (seed === undefined) throw new UsageError("--weight is that of another seed.", "Name it: --towards SEED");
  if (weight === undefined) throw new UsageError("--towards needs how far to go.", "Give it as --weight W, 0 to 1.");
  return { seed: numberOf("towards", seed), weight: numberOf("weight", weight) };
}

/** The position before the `=`, counted from 0 as recipes do. */
function placeIn(option: string, value: string): { position: number } {
  const [, number] = /^\s*(\d{1,9})\s*=\s*\S/u.exec(value) ?? [];
  if (number !== undefined && Number(number) >= 1) return { position: Number(number) - 1 };
  throw new UsageError(
    `--${option} is ${JSON.stringify(value)}.`,
    "Give a position of the text, counted from 1, and what is to stand there: --hold 3=dog",
  );
}
