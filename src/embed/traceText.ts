import { UnreachableTraceError } from "./errors";

/** Bytes of the longest trace that is read: 1024 steps of 512 tokens take some twenty. */
const MOST_TRACE_BYTES = 32e6;

/**
 * What is recorded for an element, as text: in a script of its own, or at the address that `trace` says; null where neither is.
 * @throws {UnreachableTraceError} it is no address, nothing came from there, or too much.
 */
export async function traceText(element: HTMLElement, trace: string): Promise<string | null> {
  const inline = element.querySelector(':scope > script[type="application/json"]');
  if (trace === "") return inline?.textContent ?? null;
  if (!URL.canParse(trace, element.baseURI)) throw unreachable(trace, "it is no address");
  const { href } = new URL(trace, element.baseURI);
  let response: Response;
  try {
    response = await fetch(href, { credentials: "same-origin" });
  } catch (cause) {
    throw unreachable(href, "it could not be reached", cause);
  }
  if (!response.ok) throw unreachable(href, `the answer was ${response.status}`);
  if (Number(response.headers.get("content-length")) > MOST_TRACE_BYTES) throw unreachable(href, "it is too large");
  return response.text();
}

function unreachable(address: string, why: string, cause?: unknown): UnreachableTraceError {
  return new UnreachableTraceError(
    `The recorded run at ${address} did not come: ${why}.`,
    "Correct the address in trace; a host of another origin has to allow this page to read it (CORS).",
    { cause },
  );
}
