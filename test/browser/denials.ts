/**
 * Everything of a browser that keeps something, locks something or asks for permission, and the ways in which browsers
 * refuse it: each a script that makes the browser of a test refuse it in the same way, in the page and in its workers.
 */
import type { Page } from "@playwright/test";

interface Api {
  /** Where it is found. */
  readonly name: string;
  /** What is asked of it; of those without, the thing itself is all there is. */
  readonly methods: readonly string[];
  /** Whether its methods promise their answers, so that they reject where others throw. */
  readonly promises?: boolean;
  /** Whether it can be in the way of a model, in the page or in its workers. */
  readonly computes?: boolean;
  /** Whether browsers that deny it do so by having none, and in no other way. */
  readonly isAbsent?: boolean;
}

/** Those that this page uses. */
const USED: readonly Api[] = [
  { name: "indexedDB", methods: ["open"] },
  { name: "localStorage", methods: ["getItem", "setItem"] },
  {
    name: "navigator.storage",
    methods: ["getDirectory", "estimate", "persisted", "persist"],
    promises: true,
    computes: true,
  },
  { name: "navigator.locks", methods: ["request"], promises: true, computes: true },
  { name: "navigator.clipboard", methods: ["writeText"], promises: true },
  { name: "navigator.gpu", methods: ["requestAdapter"], promises: true },
  { name: "history", methods: ["replaceState"] },
  { name: "crypto.subtle", methods: ["digest"], promises: true, computes: true },
  { name: "SharedArrayBuffer", methods: [], isAbsent: true, computes: true },
];

/** Those that it does not use, and its libraries should not: one row for them all. */
const UNUSED: readonly Api[] = [
  // Its methods are those of localStorage.
  { name: "sessionStorage", methods: [] },
  { name: "document.cookie", methods: [] },
  { name: "caches", methods: ["open"], promises: true },
  { name: "navigator.permissions", methods: ["query"], promises: true },
  { name: "navigator.serviceWorker", methods: ["register"], promises: true },
  { name: "BroadcastChannel", methods: [] },
];

/** Without these nothing can be written, which has to be said. */
const NEEDED: readonly Api[] = [
  { name: "Worker", methods: [], isAbsent: true, computes: true },
  { name: "WebAssembly", methods: [], isAbsent: true, computes: true },
];

export interface Denial {
  readonly name: string;
  readonly script: string;
  /** Whether it can be in the way of a model; of the rest a visit that loads none tells enough. */
  readonly computes: boolean;
}

const REFUSAL = `new DOMException("The request was denied.", "SecurityError")`;

/** Does `change` to the object that has the last name of a path, where there is one: workers lack some. */
function at(path: string, change: string): string {
  const names = path.split(".");
  const last = names.pop();
  return `try { ((owner, name) => { ${change} })(${["globalThis", ...names].join("?.")}, ${JSON.stringify(last)}); } catch {}`;
}

/** Browsers without it. */
const missing = ({ name }: Api) =>
  at(name, "Object.defineProperty(owner, name, { configurable: true, value: undefined });");

/** Browsers that refuse as soon as its name is said. */
const forbidden = ({ name }: Api) =>
  at(name, `Object.defineProperty(owner, name, { configurable: true, get() { throw ${REFUSAL}; } });`);

/** Browsers that have it and refuse whatever is asked of it. */
const refusing = ({ name, methods }: Api, answer: string) =>
  methods
    .map((method) =>
      at(
        `${name}.${method}`,
        `Object.defineProperty(Object.getPrototypeOf(owner), name, { configurable: true, value: ${answer} });`,
      ),
    )
    .join("\n");

const THROWS = `() => { throw ${REFUSAL}; }`;
const REJECTS = `async () => { throw ${REFUSAL}; }`;

/** As the browsers deny it that do. */
function denied(api: Api): Denial {
  const { name, methods, promises, isAbsent, computes = false } = api;
  if (isAbsent) return { name: `${name} (missing)`, script: missing(api), computes };
  if (methods.length === 0) return { name, script: forbidden(api), computes };
  const script = refusing(api, promises ? REJECTS : THROWS);
  return { name: methods.map((method) => `${name}.${method}`).join(", "), script, computes };
}

const together = (name: string, apis: readonly Api[], script: (api: Api) => string): Denial => ({
  name,
  script: apis.map(script).join("\n"),
  computes: true,
});

/** Missing, but for what no browser lacks. */
const absent = (api: Api) => (api.name === "history" ? denied(api).script : missing(api));

const ALL = [...USED, ...UNUSED];

/** One by one, then all that a page can do without together, in each of the ways. */
export const DENIALS: readonly Denial[] = [
  ...[...USED, ...NEEDED].map(denied),
  together(`unused: ${UNUSED.map(({ name }) => name).join(", ")}`, UNUSED, (api) => denied(api).script),
  together("all of them, missing", ALL, absent),
  together("all of them, throwing at their names", ALL, (api) =>
    api.isAbsent || api.name === "history" ? absent(api) : forbidden(api),
  ),
  together("all of them, refusing when used", ALL, (api) => denied(api).script),
];

/** Has the browser refuse things from its first line on, in the page and in its workers. */
export async function deny(page: Page, script: string): Promise<void> {
  await page.addInitScript(script);
  await page.route(/\/assets\/(libraryWorker|worker)-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${script}\n${await response.text()}` });
  });
}
