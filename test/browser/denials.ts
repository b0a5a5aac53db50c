/**
 * Everything of a browser that keeps something, locks something or asks for permission, and the ways in which browsers
 * refuse it: each a script that makes the browser of a test refuse it in the same way, in the page and in its workers.
 */

interface Api {
  /** Where it is found. */
  readonly name: string;
  /** Its methods that may be refused one by one. */
  readonly methods: readonly string[];
}

/** Those that this page uses, and those that its libraries might. */
const APIS: readonly Api[] = [
  { name: "indexedDB", methods: ["open"] },
  { name: "localStorage", methods: ["getItem", "setItem"] },
  { name: "sessionStorage", methods: ["getItem"] },
  { name: "caches", methods: ["open"] },
  { name: "navigator.locks", methods: ["request"] },
  { name: "navigator.storage", methods: ["getDirectory", "estimate", "persisted", "persist"] },
  { name: "navigator.clipboard", methods: ["writeText"] },
  { name: "navigator.gpu", methods: ["requestAdapter"] },
  { name: "navigator.serviceWorker", methods: [] },
  { name: "document.cookie", methods: [] },
  { name: "history", methods: ["replaceState"] },
  { name: "crypto.subtle", methods: ["digest"] },
  { name: "BroadcastChannel", methods: [] },
  { name: "SharedArrayBuffer", methods: [] },
];

export interface Denial {
  readonly name: string;
  readonly script: string;
}

const REFUSAL = `new DOMException("The request was denied.", "SecurityError")`;

/** Does `change` to the object that has the last name of a path, where there is one: workers lack some. */
function at(path: string, change: string): string {
  const names = path.split(".");
  const last = names.pop();
  return `try { ((owner, name) => { ${change} })(${["globalThis", ...names].join("?.")}, ${JSON.stringify(last)}); } catch {}`;
}

const missing = ({ name }: Api): Denial => ({
  name: `${name} is missing`,
  script: at(name, "Object.defineProperty(owner, name, { configurable: true, value: undefined });"),
});

const forbidden = ({ name }: Api): Denial => ({
  name: `${name} may not be asked for`,
  script: at(name, `Object.defineProperty(owner, name, { configurable: true, get() { throw ${REFUSAL}; } });`),
});

const throwing = ({ name }: Api, method: string): Denial => ({
  name: `${name}.${method} throws`,
  script: at(
    `${name}.${method}`,
    `Object.defineProperty(Object.getPrototypeOf(owner), name, { configurable: true, value() { throw ${REFUSAL}; } });`,
  ),
});

const rejecting = ({ name }: Api, method: string): Denial => ({
  name: `${name}.${method} rejects`,
  script: at(
    `${name}.${method}`,
    `Object.defineProperty(Object.getPrototypeOf(owner), name, { configurable: true, value: async () => { throw ${REFUSAL}; } });`,
  ),
});

/** Methods that answer at once, so that they cannot reject. */
const SYNCHRONOUS = new Set(["indexedDB", "localStorage", "sessionStorage", "history"]);

const byMethod = (api: Api): Denial[] =>
  api.methods.flatMap((method) => [
    throwing(api, method),
    ...(SYNCHRONOUS.has(api.name) ? [] : [rejecting(api, method)]),
  ]);

const all = (name: string, denials: readonly Denial[]): Denial => ({
  name,
  script: denials.map(({ script }) => script).join("\n"),
});

/** Each one by one. What is missing cannot be asked for, so `history`, which no browser lacks, is refused by its methods alone. */
export const DENIALS: readonly Denial[] = APIS.flatMap((api) =>
  api.name === "history" ? byMethod(api) : [missing(api), forbidden(api), ...byMethod(api)],
);

/** All of them together, in each of the ways. */
export const ALL_DENIED: readonly Denial[] = [
  all("everything is missing", APIS.filter(({ name }) => name !== "history").map(missing)),
  all("nothing may be asked for", APIS.filter(({ name }) => name !== "history").map(forbidden)),
  all(
    "everything throws",
    APIS.flatMap((api) => api.methods.map((method) => throwing(api, method))),
  ),
  all(
    "everything rejects",
    APIS.flatMap((api) => api.methods.map((m) => (SYNCHRONOUS.has(api.name) ? throwing(api, m) : rejecting(api, m)))),
  ),
];
