/**
 * What decides a run: by the same model the same recipe writes the same text. A run that continues another holds that
 * one's recipe, so a recipe is the whole chain back to noise, and a run can be had again of which nothing was kept.
 */
import { ConditionError, SettingsError } from "./errors";
import { stepAt } from "./fork";
import { checkHeld, type HeldToken } from "./held";
import type { Source } from "./network";
import { type LogitNormal, scheduleTimes } from "./schedule";
import { checkSettings, type SamplerSettings } from "./settings";
import { wellFormed } from "./text";
import { checkTowards, type Towards } from "./towards";

/** What decides a run by a given model. */
export interface Recipe {
  readonly settings: SamplerSettings;
  /** What it writes to; an empty one is none. Only a run from noise has one; a fork has that of the run it comes from. */
  readonly prompt?: Prompt | undefined;
  /** Whose noise it starts towards, and how far; only a run from noise has it. That of its own seed alone unless given. */
  readonly towards?: Towards | undefined;
  /** The text from whose noise it starts; only a run from noise has it, and then no other seed to go towards. */
  readonly back?: Back | undefined;
  /** Tokens held from where this recipe begins; those of the run it continues are not held on by themselves. */
  readonly held?: readonly HeldToken[] | undefined;
  /** Where it begins; at noise unless given. */
  readonly from?: Branch | undefined;
}

/**
 * A text to start from: the noise that the ODE would have made it from (`noiseOf`), found by the run's own steps, guidance and
 * self-conditioning on the quantile schedule. Held positions start from the noise of the run's seed.
 */
export interface Back {
  /** Its tokens, one for every position behind the prompt, what fills it up included. */
  readonly ids: Source;
}

/** A text, or its tokens, which need no tokenizer. */
export type Prompt = { readonly text: string } | { readonly ids: Source };

/** A frame of a run, to continue from. */
export interface Branch {
  readonly run: Recipe;
  /** Number of the frame on the run's path from noise, from 0. */
  readonly step: number;
}

/** The way of a run from noise to text, through the runs that it continues. */
export interface Path {
  /** Times of all its frames, from 0 to 1. */
  readonly times: readonly number[];
  /** Number of its own first frame; those before are of the run that it continues. 0 for a run from noise. */
  readonly begin: number;
  /** The step of its own schedule that stands at that frame. */
  readonly first: number;
}

/** Most runs that may be forked from one another. */
export const LONGEST_CHAIN = 64;

/**
 * Letters after which a prompt is too long for every model: no page takes it in, and where it stands in a box all the same,
 * nobody counts its tokens and nothing is loaded for it. To lay such a text out keeps a page from answering.
 */
export const MOST_LETTERS = 50_000;

/** The recipe alone, of something that has more to it, with a prompt that can be written down, and each fork of the run that its frame is of. */
export function recipeOf({ settings, prompt, towards, back, held, from }: Recipe): Recipe {
  return {
    settings: stated(settings),
    ...(prompt && !isEmpty(prompt) ? { prompt: written(prompt) } : {}),
    // No way towards another seed is none.
    ...(towards && towards.weight !== 0 ? { towards: { seed: towards.seed, weight: towards.weight } } : {}),
    ...(back ? { back: { ids: Array.from(back.ids) } } : {}),
    ...(held && held.length > 0 ? { held: held.map(({ position, token }) => ({ position, token })) } : {}),
    ...(from ? { from: branchAt(from.run, from.step) } : {}),
  };
}

/** Without a curve that is said to be none. */
function stated(settings: SamplerSettings): SamplerSettings {
  if (settings.gammaCurve || !("gammaCurve" in settings)) return settings;
  const { gammaCurve: _, ...others } = settings;
  return others;
}

function written(prompt: Prompt): Prompt {
  return "ids" in prompt ? prompt : { text: wellFormed(prompt.text) };
}

/** Whether a prompt says nothing: no token, or no text but spaces. */
export function isEmpty(prompt: Prompt): boolean {
  return "ids" in prompt ? prompt.ids.length === 0 : prompt.text.trim() === "";
}

/** The same text for the same recipe, to know a run by. */
export function recipeKey(recipe: Recipe): string {
  return JSON.stringify(sorted(recipeOf(recipe)));
}

function sorted({ settings, prompt, towards, back, held = [], from }: Recipe): unknown {
  const places = held.map(({ position, token }) => [position, token] as const).sort(([a], [b]) => a - b);
  const values = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
  const branch = from ? [sorted(from.run), from.step] : null;
  // A run that has none keeps the key by which it is known since before there was any.
  return [
    values,
    prompt ?? null,
    places,
    branch,
    ...(towards ? [[towards.seed, towards.weight]] : []),
    ...(back ? [{ back: back.ids }] : []),
  ];
}

/** The run from noise that a recipe goes back to. */
export function rootOf(recipe: Recipe): Recipe {
  return recipe.from ? rootOf(recipe.from.run) : recipe;
}

/** Where to continue a run from one of its frames: a frame before its own first is that of an ancestor. */
export function branchAt(run: Recipe, step: number): Branch {
  return run.from && step < run.from.step ? branchAt(run.from.run, step) : { run: recipeOf(run), step };
}

/** Settings and steps must have been checked (`checkRecipe`). */
export function pathOf({ settings, from }: Recipe, constants: LogitNormal): Path {
  const own = scheduleTimes(settings, constants);
  if (!from) return { times: Array.from(own), begin: 0, first: 0 };
  const before = pathOf(from.run, constants);
  const first = stepAt(own, { step: before.first + from.step - before.begin, t: before.times[from.step] as number });
  return { times: [...before.times.slice(0, from.step + 1), ...own.slice(first + 1)], begin: from.step, first };
}

/** What of a model bounds a recipe; as in its manifest. */
export interface RecipeLimits {
  readonly maxLength: number;
  readonly maxInputLength: number;
  readonly vocabularySize: number;
  readonly schedule: LogitNormal;
}

/** Whether what may be a recipe goes back over more runs than one may; before anything that calls itself for each of them. */
export function goesBackTooFar(asked: unknown): boolean {
  let run = asked;
  let links = 0;
  while (isObject(run) && ++links <= LONGEST_CHAIN) run = isObject(run.from) ? run.from.run : undefined;
  return links > LONGEST_CHAIN;
}

/** Checks that something is a recipe at all. @throws {SettingsError | ConditionError} */
export function checkShape(asked: unknown): asserts asked is Recipe {
  if (goesBackTooFar(asked)) {
    throw new SettingsError(
      `This run goes back over more than ${LONGEST_CHAIN - 1} others.`,
      `Fork from a run of at most ${LONGEST_CHAIN - 1} ancestors.`,
    );
  }
  // Before any of it is read; what its values are worth is for `checkRecipe` to say.
  for (let run = asked; ; ) {
    if (!isObject(run) || !isObject(run.settings)) {
      throw new SettingsError("A run has no settings.", "Give an object of all its settings.");
    }
    const { prompt, held, back, from } = run;
    if (prompt && !(isObject(prompt) && ("ids" in prompt ? isList(prompt.ids) : typeof prompt.text === "string"))) {
      throw new ConditionError("The prompt is neither a text nor tokens.", "Give { text } or { ids }.");
    }
    if (held && !(Array.isArray(held) && [...held].every((one) => isObject(one) && typeof one.position === "number"))) {
      throw new ConditionError("What is held is no list of tokens.", "Give a list of { position, token }.");
    }
    if (back && !(isObject(back) && isList(back.ids))) {
      throw new SettingsError("The text to go back from is no list of tokens.", "Give { ids }.");
    }
    if (!from) return;
    run = isObject(from) ? from.run : undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isList(value: unknown): boolean {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value);
}

/**
 * Checks a recipe (`checkShape`) whose prompt has `sourceLength` tokens, 0 for none; the prompt itself is checked by `checkSources`.
 * @throws {SettingsError} settings that no run can use, or that a fork cannot change, or a frame that is not there.
 * @throws {ConditionError} a prompt given to a fork, or tokens that cannot be held.
 */
export function checkRecipe(recipe: Recipe, sourceLength: number, limits: RecipeLimits): void {
  const { settings, towards, back, held = [], from } = recipe;
  checkSettings(settings, limits.maxLength, sourceLength > 0);
  if (towards) checkTowards(towards);
  const room = roomOf(settings.length, sourceLength, limits);
  checkHeld(held, room, limits.vocabularySize);
  if (back) checkBack(back, { room, towards, vocabularySize: limits.vocabularySize });
  if (!from) return;
  if (recipe.prompt) {
    throw new ConditionError(
      "A run that continues another has its prompt.",
      "Start from noise to give another prompt.",
    );
  }
  if (towards || back) {
    throw new SettingsError(
      "A run that continues another has its noise.",
      `Start from noise to go ${towards ? "towards a seed" : "back from a text"}.`,
    );
  }
  checkRecipe(from.run, sourceLength, limits);
  if (settings.length !== from.run.settings.length) {
    throw new SettingsError(
      `length is ${settings.length}, but the run to go on with has ${from.run.settings.length} positions.`,
      "Leave the length as it is.",
    );
  }
  const { times } = pathOf(from.run, limits.schedule);
  if (!Number.isInteger(from.step) || from.step < 0 || from.step >= times.length - 1) {
    throw new SettingsError(
      `A run of ${times.length - 1} steps cannot be continued from step ${String(from.step)}.`,
      `Choose one from 0 to ${times.length - 2}.`,
    );
  }
}

function checkBack(
  { ids }: Back,
  { room, towards, vocabularySize }: { room: number; towards: Towards | undefined; vocabularySize: number },
): void {
  if (towards) {
    throw new SettingsError(
      "A run starts from the noise of a text or towards that of a seed.",
      "Leave one of them out.",
    );
  }
  if (ids.length !== room) {
    throw new SettingsError(
      `The text to go back from has ${ids.length} tokens, and the run has room for ${room}.`,
      "Give as many tokens as positions, what fills the text up included, or another length.",
    );
  }
  const wrong = Array.from(ids).find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabularySize));
  if (wrong !== undefined) {
    throw new SettingsError(
      `The text to go back from has the token ${String(wrong)}, which this model does not have.`,
      `Give integers from 0 to ${vocabularySize - 1}.`,
    );
  }
}

/** Most tokens written in a run of `length` positions: after a prompt of `sourceLength`, or freely where that is 0. */
export function roomOf(
  length: number,
  sourceLength: number,
  { maxLength, maxInputLength }: Pick<RecipeLimits, "maxLength" | "maxInputLength">,
): number {
  return sourceLength === 0 ? length : Math.min(length - sourceLength, maxLength - maxInputLength);
}
