import { parseArgs } from "node:util";
import { ElfError } from "../flow/errors";
import { checkSettings, type SamplerSettings, SETTING_CHOICES } from "../flow/settings";
import type { Manifest } from "../model/manifest";
import { DEFAULT_MODEL } from "../model/shipped";

/** A command line that cannot be understood. */
export class UsageError extends ElfError {
  readonly code = "usage";

  constructor(message: string, action = "npm run generate -- --help lists the options.", options?: ErrorOptions) {
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
}

const OPTIONS: readonly Option[] = [
  { name: "model", value: "NAME|DIR", help: `a folder under models/, or any exported folder [${DEFAULT_MODEL}]` },
  { name: "method", value: "ode|sde", setting: "method", help: "plain Euler steps, or with fresh noise before each" },
  { name: "steps", value: "N", setting: "steps", help: "steps from noise to text, 1 to 1024" },
  { name: "gamma", value: "G", setting: "gamma", help: "fresh noise of the SDE, 0 to 8" },
  { name: "self-cond-cfg", value: "W", setting: "selfCondScale", help: "self-conditioning guidance, 0.5 to 8" },
  { name: "schedule", value: "uniform|logit_normal", setting: "schedule", help: "how the times are laid out" },
  { name: "rng", value: "original|partitionable", setting: "rng", help: "layout of JAX's random bits" },
  { name: "seed", value: "S", setting: "seed", help: "0 to 4294967295; the same seed writes the same text" },
  { name: "length", value: "L", setting: "length", help: "tokens to write, at most the model's own" },
  { name: "json", help: "print one JSON object with text, tokens, settings, times" },
  { name: "dump", value: "FILE", help: "write t, z0, z and tokens as JSON, to compare samplers" },
  { name: "trace", value: "FILE", help: "write the recorded run that the page plays before a model is loaded" },
  { name: "help", help: "print this and exit" },
];

export interface CommandLine {
  readonly model: string;
  readonly json: boolean;
  readonly help: boolean;
  readonly dump: string | undefined;
  readonly trace: string | undefined;
  /** The settings that were named, not yet checked against a model. */
  readonly changes: Partial<SamplerSettings>;
}

/**
 * Reads the arguments after the command's name.
 * @throws {UsageError} an unknown option, a value that is missing, or a number that is none.
 */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const values = parse(argv);
  const changes: Record<string, string | number> = {};
  for (const { name, setting } of OPTIONS) {
    const value = values[name];
    if (setting && typeof value === "string") changes[setting] = isWord(setting) ? value : numberOf(name, value);
  }
  const text = (name: string) => (typeof values[name] === "string" ? (values[name] as string) : undefined);
  return {
    model: text("model") ?? DEFAULT_MODEL,
    json: values.json === true,
    help: values.help === true,
    dump: text("dump"),
    trace: text("trace"),
    changes: changes as Partial<SamplerSettings>,
  };
}

/**
 * The model's defaults with the changes of the command line.
 * @throws {SettingsError} a value that no run can use.
 */
export function settingsOf({ changes }: CommandLine, manifest: Manifest): SamplerSettings {
  const settings = { ...manifest.defaults, ...changes };
  checkSettings(settings, manifest.architecture.maxLength);
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
    "usage: npm run generate -- [OPTIONS]",
    "",
    `Writes a text from noise with an exported model${manifest ? ` (here: ${manifest.title})` : ""}.`,
    "",
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    "",
    "Defaults stand in brackets; the sampler's are the model's own.",
  ].join("\n");
}

function parse(argv: readonly string[]): Record<string, string | boolean | undefined> {
  const options = Object.fromEntries(
    OPTIONS.map(({ name, value }) => [name, { type: value ? ("string" as const) : ("boolean" as const) }]),
  );
  try {
    return parseArgs({ args: [...argv], options: { ...options, help: { type: "boolean", short: "h" } } }).values;
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
