/**
 * What other programs do to a link on its way, undone. Mail programs wrap it, quote it and escape it for their own format;
 * chats take the signs around it for a part of it; shorteners and trackers escape it once more and add their own ends.
 */
import { escaped, unescaped } from "./linkEscapes";
import { LINK_FIELDS } from "./linkFields";

const FIELD_NAMES = new Map(LINK_FIELDS.map((name) => [name.toLowerCase(), name]));

/** Times that a link may have been escaped on its way. */
const MOST_ESCAPES = 5;

/** Signs that are not seen and that nobody typed: spaces of all kinds, soft hyphens, joiners, marks of direction. */
const UNSEEN = /[\p{White_Space}\p{Cc}\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/gu;

/** Signs that part a link from what it stood in, and that quoted mails put into it. */
const FOREIGN = /[\s<>|"'`“”‘’«»„*()[\]{}\\…!]/u;

const RUN = /^[#!/?]*run(?:=3D|=|:)/i;

/** Whether the end of an address, however mangled, tells of a run. */
export function isRunLink(text: string): boolean {
  return RUN.test(unescapedFully(text).replace(UNSEEN, ""));
}

/**
 * What the text of a mangled link may have been, without `run=`, each in the form of a link; the likeliest first. None
 * where it is beyond mending.
 */
export function mendings(given: string): string[] {
  const text = withoutSecond(given);
  // A line that a mail's own format cut ends with an equals sign, and an equals sign is written =3D there. In a link that
  // is whole one stands behind `run` and between numbers only.
  const joined = text.replace(/=3D/g, "=").replace(/(?<!run)=(?!\d)|(?<!run|\d)=/gi, "");
  return [...new Set([text, joined])].flatMap(mendingsOf);
}

/** A link up to where one begins again: chats and Markdown write an address twice, and people paste it twice. */
function withoutSecond(text: string): string {
  const equals = /run(=|%(?:25)*3D)/i.exec(text)?.[1] ?? "=";
  // As often escaped as its first equals sign, or not at all. What a prompt has of an address is escaped once more.
  const written = (plain: string) =>
    equals === "=" ? [plain] : [plain, encodeURIComponent(plain).replaceAll("%", equals.slice(0, -2))];
  const fields = LINK_FIELDS.join("|");
  const again = new RegExp(`(?:${written("#").join("|")})[!/]?run${equals}(?=(?:${fields})(?::|%))`, "i");
  const found = again.exec(text.slice(1));
  if (!found) return text;
  const before = text.slice(0, found.index + 1);
  // The second begins with its address, where it has one.
  const begin = Math.max(...["http://", "https://"].flatMap(written).map((start) => before.lastIndexOf(start)));
  return begin >= 0 && !/[\s#]/.test(before.slice(begin)) ? before.slice(0, begin) : before;
}

function mendingsOf(text: string): string[] {
  const braced = takePrompt(text);
  // A part of it is missing, and nobody can tell what.
  if (braced === null) return [];
  if (braced) {
    return fieldsIn(unescapedFully(braced.rest)).map((fields) => withPrompt(fields, braced.prompt));
  }
  const found: string[] = [];
  for (let plain = text, i = 0; i <= MOST_ESCAPES; i++) {
    found.push(...mendOldLink(plain));
    const next = unescaped(plain);
    if (next === plain) break;
    plain = next;
  }
  return found;
}

interface TakenPrompt {
  readonly prompt: string;
  /** The link without it. */
  readonly rest: string;
}

/** A prompt in braces: all between the first and the last of them. Undefined where there is none, null where it is broken. */
function takePrompt(text: string): TakenPrompt | null | undefined {
  const begin = /prompt(?::|%(?:25)*3A)(\{|%((?:25)*)7B)/i.exec(text);
  if (!begin) return undefined;
  const [all, open = "", escapes = ""] = begin;
  const start = begin.index + all.length;
  const close = open === "{" ? "}" : `%${escapes}7D`;
  const end = text.toUpperCase().lastIndexOf(close);
  const before = text.slice(0, begin.index);
  if (end < start || isOfFork(before) || escapes.length / 2 > MOST_ESCAPES) return null;
  let prompt = text.slice(start, end);
  // Some programs undo the escapes of signs that an address may have; every other sign was put there on the way. Forms
  // write a plus for a blank.
  if (open !== "{") prompt = prompt.replaceAll("+", " ").replace(/[^A-Za-z0-9%_ ,:;!?()'*.~@/$&-]/g, "");
  // A line that was cut within an escape, and what was put there looks like one now.
  if (open !== "{" && /%(?![0-9a-f]{2})/i.test(prompt)) return null;
  // As often as the brace was escaped; one that was not may stand among signs that the browser has escaped.
  for (let i = escapes.length / 2; i >= 0; i--) prompt = unescaped(prompt);
  return { prompt, rest: before + text.slice(end + close.length) };
}

/** Whether what follows this belongs to a run that goes on from another, which has no prompt of its own. */
function isOfFork(before: string): boolean {
  return unescapedFully(before).includes(";");
}

/** Puts a prompt behind the fields of the first run. */
function withPrompt(fields: string, prompt: string): string {
  const [first = "", ...forks] = fields.split(";");
  return [`prompt:${escaped(`{${prompt}}`)},${first}`, ...forks].join(";");
}

/** A link of an earlier version, whose prompt has no braces: it ends where nothing else follows than what follows one. */
function mendOldLink(text: string): string[] {
  const begin = /prompt:/i.exec(text);
  if (!begin) return fieldsIn(text);
  const before = text.slice(0, begin.index);
  const parts = text.slice(begin.index + begin[0].length).split(";");
  let forks = parts.length;
  while (forks > 1 && /^from:/i.test(parts[forks - 1] as string)) forks--;
  const written = parts
    .slice(0, forks)
    .join(";")
    .replace(/,hold:[\d=+]+$/i, "");
  const end = begin.index + begin[0].length + written.length;
  const prompt = unescaped(written.replace(/[&?#][A-Za-z_][\w.-]*=.*$/s, ""));
  // Of a sign that was cut in its middle nobody can tell how it went on.
  if (isOfFork(before) || /%[0-9a-f]{0,2}$/i.test(prompt)) return [];
  return fieldsIn(before + text.slice(end)).map((fields) => withPrompt(fields, prompt));
}

/** The fields of a link among foreign signs: once without those signs, once up to the first of them. */
function fieldsIn(text: string): string[] {
  // What trackers add, and what comes behind a second # or as a text to be shown.
  const plain = text.replace(/(?<!^)[&?#].*$|:~:.*$/s, "");
  const end = plain.search(FOREIGN);
  // What follows a foreign sign belongs to the link if it says anything of a run.
  const isAllBefore = end >= 0 && !new RegExp(`(${LINK_FIELDS.join("|")})\\s*:|\\d=\\d`, "i").test(plain.slice(end));
  return [plain, ...(isAllBefore ? [plain.slice(0, end)] : [])].flatMap((candidate) => mendFields(candidate) ?? []);
}

function mendFields(text: string): string | null {
  const plain = text
    // Forms write a blank for a plus.
    .replace(/(\d) (?=[\d.]+=\d)/g, "$1+")
    .replace(/\bids:\s*[\d\s+]+/i, (ids) => ids.trim().replace(/(\d)\s+(?=\d)/g, "$1+"))
    .replace(UNSEEN, "")
    .replace(new RegExp(FOREIGN.source, "gu"), "")
    .replace(RUN, "");
  // Every value ends with a letter or a digit, so what comes then is the end of somebody's sentence.
  let end = plain.length;
  while (end > 0 && !/[A-Za-z0-9]/.test(plain[end - 1] as string)) end--;
  const parts = plain
    .slice(0, end)
    .split(";")
    .map((part) => part.split(",").map(mendField));
  if (parts.some((fields) => fields.includes(null))) return null;
  return parts.map((fields) => fields.filter((field) => field !== "").join(",")).join(";");
}

function mendField(field: string): string | null {
  if (field === "") return "";
  const [, name = "", value = ""] = /^([^:]*):(.*)$/.exec(field) ?? [];
  const known = FIELD_NAMES.get(name.replaceAll("=", "").toLowerCase());
  // Only what is held and a curve have equals signs; elsewhere they end lines.
  const clean = known === "hold" || known === "gammaCurve" ? value : value.replaceAll("=", "");
  if (known === undefined || !/^[\w.+=-]+$/.test(clean)) return null;
  return `${known}:${/\d/.test(clean) ? clean : clean.toLowerCase()}`;
}

function unescapedFully(text: string): string {
  let plain = text;
  for (let i = 0; i < MOST_ESCAPES; i++) plain = unescaped(plain);
  return plain;
}
