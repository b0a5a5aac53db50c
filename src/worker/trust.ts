/** How workers are started where a page's policies are strict. */

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): unknown };
}

/** The name that a page's policy has to allow: `trusted-types elf-playground`. */
const POLICY = "elf-playground";

/**
 * Where the page keeps it. A name may be had once only, and an element and an engine on one page, each with a script of its
 * own, maybe of another version, start workers both.
 */
const KEPT = Symbol.for("elf-playground policy");

interface Page {
  readonly trustedTypes?: TrustedTypes;
  [KEPT]?: { allowed: string; policy?: ReturnType<TrustedTypes["createPolicy"]> };
}

/**
 * An address of a script as a page with Trusted Types takes it; the policy lets those through that are asked for here.
 * @throws {TypeError} the page allows no such policy.
 */
export function trusted(url: string): string {
  const page = globalThis as Page;
  if (!page.trustedTypes) return url;
  page[KEPT] ??= { allowed: url };
  const kept = page[KEPT];
  kept.allowed = url;
  kept.policy ??= page.trustedTypes.createPolicy(POLICY, {
    createScriptURL: (asked) => {
      if (asked !== kept.allowed) throw new TypeError(`${POLICY} starts its own workers only.`);
      return asked;
    },
  });
  return kept.policy.createScriptURL(url) as string;
}

/**
 * The address in the start of a worker. Bundlers know a worker by nothing but `new Worker(new URL(…))`, and only of what they
 * know they take along what it needs; so it is written like that, and a stand-in hears where the worker has come to lie.
 */
export function addressIn(start: () => Worker): string {
  const own = globalThis.Worker;
  let address = "";
  globalThis.Worker = class {
    constructor(url: string | URL) {
      address = String(url);
    }
  } as unknown as typeof Worker;
  try {
    start();
  } finally {
    globalThis.Worker = own;
  }
  return address;
}
