import { GERMAN } from "./german";
import { ENGLISH, type Words } from "./words";

/** What a page can say once for all of its elements. */
export interface Configuration {
  /** Address of the worker's script, where a policy wants one of the page's own origin; `worker-….js` of this release. */
  readonly worker?: string | undefined;
  /** Tables of words by language, for languages that the element does not speak or in other words. */
  readonly words?: Readonly<Record<string, Words>> | undefined;
}

const tables = new Map<string, Words>([
  ["en", ENGLISH],
  ["de", GERMAN],
]);

let worker: string | undefined;
const listeners = new Set<() => void>();

/** Changes what is given and tells every element of it. */
export function configure({ worker: address, words = {} }: Configuration): void {
  if (address !== undefined) worker = address;
  for (const [language, table] of Object.entries(words)) tables.set(language.toLowerCase(), table);
  if (Object.keys(words).length === 0) return;
  for (const listener of listeners) listener();
}

/** The worker's address as the page wants it; undefined where it says nothing. */
export function wantedWorker(): string | undefined {
  return worker;
}

/** Tells when words have changed. Returns what ends that. */
export function onWords(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The words of a language, `de-AT` spoken as `de`; English where there is no table. */
export function wordsOf(language: string): Words {
  const tag = language.toLowerCase();
  return tables.get(tag) ?? tables.get(tag.split("-")[0] ?? "") ?? ENGLISH;
}
