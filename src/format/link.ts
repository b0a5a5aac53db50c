/**
 * A run as the end of an address: `#run=steps:32,method:sde,…;from:12,gamma:0`. First what it began with at noise; then,
 * for each fork, the step it goes on from and what it changes. No server sees what stands behind the #. A prompt comes
 * before all else, in braces that are escaped as it is: from them the reader of a link that was escaped once more, or not
 * at all, knows that, and where the prompt ends.
 */
import { gammaCurveIn, gammaCurveText } from "../flow/gammaCurve";
import type { HeldToken } from "../flow/held";
import { type Back, LONGEST_CHAIN, MOST_LETTERS, type Prompt, type Recipe, recipeOf } from "../flow/recipe";
import type { SamplerSettings } from "../flow/settings";
import { wellFormed } from "../flow/text";
import type { Towards } from "../flow/towards";
import { escaped } from "./linkEscapes";
import { LINK_FIELDS } from "./linkFields";
import { isRunLink, mendings } from "./mangledLink";
import { settingsSchema, towardsSchema } from "./settingsSchema";

const NAME = "run=";
const OPEN = "%7B";
const CLOSE = "%7D";

/** Letters of the longest prompt in the longest letters, escaped twice, and as much again. */
const LONGEST_LINK = 32 * MOST_LETTERS;

/** What a link is written in. Anything else in one was put there by another program. */
const LINK = /^[\w.,;:=+%!~*'()-]*$/;

/** The end of an address that tells of a run, with its #. */
export function linkTo(recipe: Recipe): string {
  return `#${NAME}${parts(recipeOf(recipe)).join(";")}`;
}

function parts({ settings, prompt, towards, back, held = [], from }: Recipe): string[] {
  const before = from?.run;
  const names = new Set([...Object.keys(settings), ...(before ? Object.keys(before.settings) : [])]);
  const changes = [...names]
    .filter((name) => !before || valueIn(settings, name) !== valueIn(before.settings, name))
    .map((name) => `${name}:${valueIn(settings, name)}`);
  const fields = [
    // First: a link that is cut in its prompt lacks settings then, and is known to be cut.
    ...(prompt && "text" in prompt ? [`prompt:${escaped(`{${prompt.text}}`)}`] : []),
    ...(from ? [`from:${from.step}`] : []),
    ...changes,
    ...(towards ? [`towards:${towards.seed}`, `weight:${towards.weight}`] : []),
    ...(back ? [`back:${back.ids.join("+")}`] : []),
    ...(prompt && "ids" in prompt ? [`ids:${prompt.ids.join("+")}`] : []),
    ...(held.length > 0 ? [`hold:${held.map(({ position, token }) => `${position}=${token}`).join("+")}`] : []),
  ];
  return [...(before ? parts(before) : []), fields.join(",")];
}

/**
 * The recipe that an address ends with (`location.hash`); null where it ends with none, undefined where it is broken. Any
 * run that a link can tell of is well formed; whether the model can run it is for the engine to say. What mail programs,
 * chats and trackers do to links is undone where only one run can have been meant.
 */
export function recipeIn(hash: string): Recipe | null | undefined {
  const text = plainOfJson(hash.replace(/^#/, ""));
  if (text.length > LONGEST_LINK) return undefined;
  if (!isRunLink(text)) return null;
  if (text.startsWith(NAME) && LINK.test(text)) {
    const recipe = readLink(text.slice(NAME.length));
    if (recipe) return recipe;
  }
  for (const mended of mendings(text)) {
    const recipe = readLink(mended);
    if (recipe) return recipe;
  }
  return undefined;
}

/** Without the escapes of JSON, which logs and source code have in addresses; a link has no backslash. */
function plainOfJson(text: string): string {
  return text.replace(/\\u00([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

function readLink(text: string): Recipe | undefined {
  const links = text.split(";");
  if (links.length > LONGEST_CHAIN) return undefined;
  let recipe: Recipe | undefined;
  for (const link of links) {
    recipe = readPart(link, recipe);
    if (!recipe) return undefined;
  }
  return recipe;
}

/** What a fork says whose parent has γ drawn over t, and which has not. */
const NO_CURVE = "none";

function valueIn(settings: SamplerSettings, name: string): unknown {
  const value = settings[name as keyof SamplerSettings];
  if (name !== "gammaCurve") return value;
  return settings.gammaCurve ? gammaCurveText(settings.gammaCurve) : NO_CURVE;
}

function readPart(part: string, before: Recipe | undefined): Recipe | undefined {
  const fields = new Map(part.split(",").map((field) => split(field, ":")));
  if ([...fields.keys()].some((name) => name !== "" && !LINK_FIELDS.includes(name))) return undefined;
  const wanted: Record<string, unknown> = { ...before?.settings };
  for (const name of Object.keys(settingsSchema.shape)) {
    const typed = fields.get(name);
    if (typed === undefined) continue;
    if (name !== "gammaCurve") wanted[name] = /^[\d.+-]/.test(typed) ? Number(typed) : typed;
    else if (typed === NO_CURVE) delete wanted[name];
    else wanted[name] = gammaCurveIn(typed) ?? typed;
  }
  const settings = settingsSchema.safeParse(wanted);
  const prompt = promptIn(fields);
  const towards = towardsIn(fields);
  const back = backIn(fields.get("back"));
  const held = heldIn(fields.get("hold"));
  const from = fields.get("from");
  // The first part is a run from noise, and no other is.
  if (
    !settings.success ||
    !held ||
    prompt === undefined ||
    towards === undefined ||
    back === undefined ||
    (from === undefined) !== (before === undefined)
  ) {
    return undefined;
  }
  const step = indexOf(from ?? "0");
  if (step === undefined || (before && (prompt || towards || back))) return undefined;
  return recipeOf({
    settings: settings.data,
    ...(prompt ? { prompt } : {}),
    ...(towards ? { towards } : {}),
    ...(back ? { back } : {}),
    held,
    ...(before ? { from: { run: before, step } } : {}),
  });
}

function promptIn(fields: ReadonlyMap<string, string>): Prompt | null | undefined {
  const text = fields.get("prompt");
  const list = fields.get("ids");
  if (list !== undefined) {
    const ids = list.split("+").map(indexOf);
    return ids.every((id) => id !== undefined) ? { ids } : undefined;
  }
  if (text === undefined) return null;
  const isBraced = text.startsWith(OPEN);
  // Links of earlier versions have no braces; here they were escaped in another way.
  if (!isBraced && /^(%(25)*7b|\{)/i.test(text)) return undefined;
  // What came behind the brace, another program put there.
  const end = text.lastIndexOf(CLOSE);
  if (isBraced && end < 0) return undefined;
  try {
    // A plus in a text is escaped, so that one is a blank that a form has written.
    const prompt = wellFormed(decodeURIComponent(isBraced ? text.slice(OPEN.length, end).replaceAll("+", " ") : text));
    return prompt.length > MOST_LETTERS ? undefined : { text: prompt };
  } catch {
    return undefined;
  }
}

function towardsIn(fields: ReadonlyMap<string, string>): Towards | null | undefined {
  const [seed, weight] = ["towards", "weight"].map((name) => fields.get(name));
  if (seed === undefined && weight === undefined) return null;
  const towards = towardsSchema.safeParse({ seed: numberIn(seed), weight: numberIn(weight) });
  return towards.success ? towards.data : undefined;
}

function backIn(list: string | undefined): Back | null | undefined {
  if (list === undefined) return null;
  const ids = list.split("+").map(indexOf);
  return ids.every((id) => id !== undefined) ? { ids } : undefined;
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^[\d.]/.test(text) ? Number(text) : undefined;
}

function heldIn(list: string | undefined): HeldToken[] | undefined {
  if (list === undefined) return [];
  const held = list.split("+").map((pair) => {
    const [position, token] = split(pair, "=").map(indexOf);
    return position === undefined || token === undefined ? undefined : { position, token };
  });
  return held.every((token) => token !== undefined) ? held : undefined;
}

function split(text: string, at: string): [string, string] {
  const i = text.indexOf(at);
  return i < 0 ? [text, ""] : [text.slice(0, i), text.slice(i + 1)];
}

function indexOf(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
