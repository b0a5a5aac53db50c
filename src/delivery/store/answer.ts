/**
 * What an answer to a request for a file, or for the rest of one, is good for. A part of N of the file's B bytes is here.
 *
 * | asked    | answer                                                       | leads to                                    |
 * |----------|--------------------------------------------------------------|---------------------------------------------|
 * | the rest | 206 that begins at N or before, of B bytes or an unknown sum | its body is taken in                        |
 * | the rest | 206 that begins later, says no place, is of another length,  | **the whole is asked for, at once**         |
 * |          | has another ETag, is packed or in several parts              |                                             |
 * | the rest | 200 of B bytes, of unknown length, or packed                 | its body is taken in from its first byte    |
 * | the rest | 200 of another length; a web page; any other 2xx, 3xx; a     | **the whole is asked for, at once**         |
 * |          | body that ends without a new byte                            |                                             |
 * | the rest | 400, 401, 403, 404, 405, 406, 410, 412, 416, 501 and others  | **the whole is asked for, at once**         |
 * | the rest | 500, 507; no answer; silence; an end before the first byte   | a pause, then the whole; the rest once more |
 * |          |                                                              | where this server has given it before       |
 * | the rest | 408, 425, 429, 502, 503, 504, 52x: the server is busy        | a pause, then the rest; the second time     |
 * |          |                                                              | the whole                                   |
 * | the whole| 200 of B bytes, of unknown length, or packed; 206 from 0     | its body is taken in                        |
 * | the whole| 200 of another length                                        | refused: truncated, not the file, or only   |
 * |          |                                                              | the pointer of a file kept by Git LFS       |
 * | the whole| 404, 410, a web page                                         | refused: missing                            |
 * | the whole| 401, 403                                                     | refused: forbidden                          |
 * | the whole| a busy server, 500, 507; no answer; silence; 206 from later  | a pause, then another try                   |
 * | the whole| any other status                                             | refused: unreachable                        |
 *
 * A body that begins before N is compared with what is here. Where it is the same, nothing is lost and nothing is written
 * twice. Where it differs, and the body is of the whole file for certain, what is here was wrong from there on and is cut
 * off; a body that may be something else proves nothing, and the whole is asked for. While it comes:
 *
 * | body                                                  | leads to                                                     |
 * |-------------------------------------------------------|--------------------------------------------------------------|
 * | breaks off, or is silent for too long                 | what came stays; a pause, then the rest of it                |
 * | ends where its Content-Range said, before B           | the rest of it, at once                                      |
 * | ends elsewhere before B                               | a pause, then the rest; at the same byte again: truncated    |
 * | goes on after B                                       | of the whole: not the file; of the rest: the whole is asked  |
 * | ends at B with another SHA-256                        | the whole, past every cache; again: not the file, all is     |
 * |                                                       | forgotten                                                    |
 *
 * From other origins most headers cannot be read (CORS). What they would say is then found out from the bytes.
 */
import type { ManifestFile } from "../../format/manifest";

/** What was asked for. */
export interface Asked {
  /** First byte that was asked for; 0 is the whole file. */
  readonly from: number;
  /** ETag of the answer that the part here comes from; null where none is known. */
  readonly etag: string | null;
  /** Whether the server was asked to give the rest only if that is still its ETag. */
  readonly conditional: boolean;
}

/** A body to be taken in. */
export interface UsableAnswer {
  /** The byte of the file that it begins with. */
  readonly start: number;
  /** The byte before which it ends, as the server says; null where that is not told. */
  readonly end: number | null;
  /** Whether it is the file's own bytes for certain, so that others that are here are wrong. */
  readonly isProof: boolean;
}

/** An answer to a request for the rest that is of no use: why, as a sentence without its end. */
export interface UselessAnswer {
  readonly why: string;
}

const CONTENT_RANGE = /^bytes[ =]\s*(\d+)\s*-\s*(\d+)\s*\/\s*(\d+|\*)$/i;

/** Reads the headers of an answer of status 200 or 206 that is no web page; of any other that was asked for the rest, too. */
export function readAnswer(asked: Asked, response: Response, file: ManifestFile): UsableAnswer | UselessAnswer {
  const { status, headers } = response;
  if (status === 206) return readPart(asked, response, file);
  if (asked.from === 0) return { start: 0, end: null, isProof: true };
  if (status !== 200) return { why: `the server answered ${status}` };
  if (isPage(response)) return { why: "the server answered with a web page" };
  const length = lengthOf(response);
  if (length !== null && length !== file.bytes) return { why: `the server answered with ${length} other bytes` };
  const changed = asked.conditional && !isSameTag(asked.etag, headers.get("etag"));
  return { start: 0, end: null, isProof: changed || length !== null };
}

function readPart(asked: Asked, response: Response, file: ManifestFile): UsableAnswer | UselessAnswer {
  const { headers } = response;
  if (/^multipart\//i.test(headers.get("content-type") ?? "")) return { why: "the server answered in several parts" };
  if (isPacked(response)) return { why: "the server packs the file and cannot go on in the middle of it" };
  if (!isSameTag(asked.etag, headers.get("etag"))) return { why: "the file has another ETag than before" };
  const range = CONTENT_RANGE.exec(headers.get("content-range")?.trim() ?? "");
  if (!range) {
    // From another origin the header cannot be read; whether its bytes fit is seen when all are here.
    const length = Number(headers.get("content-length") ?? 0);
    if (response.type !== "cors" || length > file.bytes - asked.from)
      return { why: "the server did not say which part it sends" };
    return { start: asked.from, end: null, isProof: false };
  }
  const [, first, last, total] = range;
  const [start, end] = [Number(first), Number(last) + 1];
  if (start > asked.from || end <= asked.from || end > file.bytes) {
    return { why: `the server sent the bytes ${start} to ${end - 1}` };
  }
  if (total !== "*" && Number(total) !== file.bytes) return { why: `the server counts ${total} bytes in it` };
  return { start, end, isProof: asked.from === 0 };
}

/** Whether an answer is a web page: what is asked for never is, and servers say by one that something is missing. */
export function isPage({ headers }: Response): boolean {
  return /^(text\/html|application\/xhtml\+xml)\b/i.test(headers.get("content-type") ?? "");
}

/**
 * Bytes of the body as the headers tell; null where they do not. Across origins it is the length of what is sent, perhaps
 * packed, and the packing is not told.
 */
export function lengthOf(response: Response): number | null {
  const length = response.headers.get("content-length");
  if (length === null || response.type === "cors" || isPacked(response) || !/^\d+$/.test(length)) return null;
  return Number(length);
}

function isPacked({ headers }: Response): boolean {
  return !/^(identity)?$/i.test(headers.get("content-encoding")?.trim() ?? "");
}

/** Whether two ETags are of the same file, as far as is known. Packing makes a strong one weak, so that says nothing. */
function isSameTag(before: string | null, now: string | null): boolean {
  return before === null || now === null || bare(before) === bare(now);
}

function bare(etag: string): string {
  return etag.replace(/^W\//, "");
}
