/**
 * What a page's content security policy forbids. The browser tells of it in words of its own, often only that something
 * failed; people then look for the fault in the model or the network, where it is not.
 */
import { ElfError } from "../flow/errors";
import { offered } from "./offered";

/** Whoever serves the page forbids it something that it needs, or the browser does. */
export class PolicyError extends ElfError {
  readonly code = "policy";
}

const WHERE = "docs/hosting.md in the repository of this page has a policy that it works under.";

/** The smallest module there is: its mark and its version. */
const EMPTY_MODULE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/**
 * Makes sure that models can be computed at all.
 * @throws {PolicyError} the policy of the page has no `wasm-unsafe-eval`, or the browser has no WebAssembly.
 */
export function requireWebAssembly(): void {
  const wasm = offered(() => WebAssembly);
  if (!wasm) {
    throw new PolicyError(
      "This browser has WebAssembly switched off, by which models are computed.",
      "Switch it on for this page: the Lockdown Mode of Apple's devices and some extensions switch it off.",
    );
  }
  try {
    new wasm.Module(EMPTY_MODULE);
  } catch (cause) {
    throw new PolicyError(
      `This page may not compile WebAssembly, by which models are computed: its content security policy lacks 'wasm-unsafe-eval' (${wordsOf(cause)})`,
      `Whoever serves the page has to add 'wasm-unsafe-eval' to script-src of its Content-Security-Policy. ${WHERE}`,
      { cause },
    );
  }
}

/** What of the browser's news of a forbidden thing is used. */
type Violation = Pick<SecurityPolicyViolationEvent, "effectiveDirective" | "blockedURI">;

/** Keeps the newest things that were forbidden here, in a page or a worker. */
const violations: Violation[] = [];
const MOST_KEPT = 20;

/** Listens from now on to what is forbidden. */
export function watchPolicy(target: EventTarget = globalThis): void {
  target.addEventListener("securitypolicyviolation", (event) => {
    const { effectiveDirective, blockedURI } = event as SecurityPolicyViolationEvent;
    violations.push({ effectiveDirective, blockedURI });
    violations.splice(0, violations.length - MOST_KEPT);
  });
}

/** The error of a request that the policy forbade; null where it did not. The browser tells of it after the request failed. */
export async function forbiddenRequest(url: string): Promise<PolicyError | null> {
  await new Promise((resolve) => setTimeout(resolve));
  const { origin, host } = new URL(url);
  const isForbidden = ({ effectiveDirective, blockedURI }: Violation) =>
    effectiveDirective === "connect-src" && (blockedURI.startsWith(origin) || origin.startsWith(blockedURI));
  if (!violations.some(isForbidden)) return null;
  return new PolicyError(
    `This page may not ask ${host}: its content security policy lacks it in connect-src.`,
    `Whoever serves the page has to add ${origin} there; or download the model and drop its folder on the page. ${WHERE}`,
  );
}

/** What forbade a worker, as a clause; empty where nothing did. */
export function forbiddenWorker(): string {
  const found = violations.findLast(({ effectiveDirective }) => /^(worker|script)-src/.test(effectiveDirective));
  return found ? `the page's content security policy (${found.effectiveDirective}) forbids it` : "";
}

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
