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
  let why = "it could not be reached";
  try {
    const { ok, status, body } = await fetch(href, { credentials: "same-origin" });
    why = ok ? "it broke off" : `the answer was ${status}`;
    let left = MOST_TRACE_BYTES;
    const counter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform: (chunk, counted) => {
        left -= chunk.length;
        if (left < 0) {
          why = "it is too large";
          throw new RangeError();
        }
        counted.enqueue(chunk);
      },
    });
    // Of one that says no more of its length than that it is chunked, the bytes are counted as they come.
    if (ok) return await new Response(body?.pipeThrough(counter)).text();
  } catch (cause) {
    throw unreachable(href, why, cause);
  }
  throw unreachable(href, why);
}

function unreachable(address: string, why: string, cause?: unknown): UnreachableTraceError {
  return new UnreachableTraceError(
    `The recorded run at ${address} did not come: ${why}.`,
    "Correct the address in trace; a host of another origin has to allow this page to read it (CORS).",
    { cause },
  );
}
