/** A file server that can be told to behave as bad networks and bad servers do. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, constants, deflateSync, gzipSync } from "node:zlib";

/** What the server does with one request. All of it optional; nothing given is good manners. */
export interface Manners {
  /** Breaks the connection after so many bytes of the body. */
  readonly cutAfter?: number;
  /** Ends the body after so many bytes as if that were all. */
  readonly endAfter?: number;
  /** Sends so many bytes and then nothing more, without closing. */
  readonly stallAfter?: number;
  /** Added to the length that the headers tell. */
  readonly lieBy?: number;
  /** Sends so many bytes more than the file has. */
  readonly extraBytes?: number;
  /** Changes the byte at this offset of the file. */
  readonly flipAt?: number;
  /** Pretends never to have heard of ranges. */
  readonly ignoreRange?: boolean;
  /** Answers with a web page of status 200. */
  readonly html?: boolean;
  readonly status?: number;
  readonly retryAfter?: string;
  readonly redirectTo?: string;
  readonly etag?: string;
  /** Milliseconds between pieces of 16 KiB. */
  readonly slow?: number;
  /** Breaks the connection without an answer. */
  readonly reset?: boolean;
  /** Answers with this status and these bytes, whatever was asked for. */
  readonly odd?: { readonly status: number; readonly headers?: Record<string, string>; readonly body?: Buffer };
  /** Packs what it sends. */
  readonly packed?: Packing;
  /** Stores the file packed: it hands out ranges of the packed bytes. */
  readonly storedPacked?: boolean;
  /** Sends no length with the body. */
  readonly chunked?: boolean;
  /** The header Content-Range in place of the right one; none at all for null. */
  readonly contentRange?: string | null;
  /** Most bytes that it gives of a range. */
  readonly mostOfRange?: number;
  /** Begins a range so many bytes later than it says. */
  readonly shift?: number;
  /** Answers 200 to a range, with the bytes of the range. */
  readonly rangeAs200?: boolean;
  /** Sends a range as one of several parts. */
  readonly multipart?: boolean;
}

export type Packing = "gzip" | "br" | "deflate";

const PACKINGS: Readonly<Record<Packing, (bytes: Buffer) => Buffer>> = {
  gzip: gzipSync,
  // As quick as servers have it that pack on the way.
  br: (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  deflate: deflateSync,
};

export interface Asked {
  readonly path: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  /** Which request for this path it is, from 0. */
  readonly turn: number;
}

export class NastyServer {
  readonly asked: Asked[] = [];
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  #misbehave: (asked: Asked) => Manners = () => ({});

  constructor(readonly files: ReadonlyMap<string, Buffer>) {}

  /** Starts it on a free port and says where, ending in `/`. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** From now on every request is treated as `manners` says; requests are counted anew. */
  treat(manners: (asked: Asked) => Manners): void {
    this.#misbehave = manners;
    this.asked.length = 0;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://host").pathname).slice(1);
    const { range, "if-range": ifRange } = request.headers;
    const turn = this.asked.filter((earlier) => earlier.path === path).length;
    const asked: Asked = { path, range, ifRange: ifRange?.toString(), turn };
    this.asked.push(asked);
    const manners = this.#misbehave(asked);
    const open = { "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin" };
    const file = this.files.get(path);
    if (manners.redirectTo) return void response.writeHead(302, { ...open, Location: manners.redirectTo }).end();
    if (manners.reset) return void response.socket?.destroy();
    if (manners.odd) {
      const { status, headers = {}, body } = manners.odd;
      return void response.writeHead(status, { ...open, ...headers }).end(body);
    }
    if (manners.html) {
      response.writeHead(200, { ...open, "Content-Type": "text/html; charset=utf-8" });
      return void response.end("<!doctype html><title>Sign in to this network</title>");
    }
    if (manners.status || !file) {
      // A page elsewhere sees this header only where the server shows it.
      const shown = { "Access-Control-Expose-Headers": "Retry-After" };
      const wait = manners.retryAfter === undefined ? {} : { "Retry-After": manners.retryAfter, ...shown };
      return void response.writeHead(manners.status ?? 404, { ...open, ...wait }).end("no");
    }
    const etag = manners.etag ?? `"${createHash("sha256").update(file).digest("hex").slice(0, 16)}"`;
    const changed = ifRange !== undefined && ifRange !== etag;
    const from = manners.ignoreRange || changed ? 0 : Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    const partly = !manners.ignoreRange && !changed && range !== undefined;
    const { packed } = manners;
    // A server that packs on the way gives ranges of the file as it is; one that stores it packed has no other.
    const isPacked = packed !== undefined && (!partly || manners.storedPacked === true);
    const source = isPacked && packed ? PACKINGS[packed](bodyOf(file, 0, manners)) : file;
    if (partly && from >= source.length) {
      return void response.writeHead(416, { ...open, "Content-Range": `bytes */${source.length}` }).end();
    }
    const whole = isPacked ? source.subarray(from) : bodyOf(source, from + (manners.shift ?? 0), manners);
    const plain = partly ? whole.subarray(0, manners.mostOfRange) : whole;
    const type = "application/octet-stream";
    const contentRange = `bytes ${from}-${from + plain.length - 1}/${source.length + (manners.lieBy ?? 0)}`;
    const body = partly && manners.multipart ? asOneOfParts(plain, type, contentRange) : plain;
    const told = manners.contentRange === undefined ? contentRange : manners.contentRange;
    const saysRange = partly && !manners.multipart && !manners.rangeAs200 && told !== null;
    await send(response, body, manners, {
      ...open,
      "Content-Type": partly && manners.multipart ? "multipart/byteranges; boundary=PART" : type,
      ETag: isPacked && !manners.storedPacked ? `W/${etag}` : etag,
      ...(isPacked && packed ? { "Content-Encoding": packed } : {}),
      ...(saysRange ? { "Content-Range": told } : {}),
      // Without a length the body is sent in chunks, and ends wherever the server says it ends.
      ...(manners.endAfter !== undefined ||
      manners.extraBytes !== undefined ||
      manners.chunked ||
      (isPacked && !manners.storedPacked)
        ? {}
        : { "Content-Length": body.length + (manners.lieBy ?? 0) }),
      status: partly && !manners.rangeAs200 ? 206 : 200,
    });
  }
}

function asOneOfParts(body: Buffer, type: string, contentRange: string): Buffer {
  const head = `\r\n--PART\r\nContent-Type: ${type}\r\nContent-Range: ${contentRange}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body, Buffer.from("\r\n--PART--\r\n")]);
}

function bodyOf(file: Buffer, from: number, { flipAt, extraBytes = 0 }: Manners): Buffer {
  const body = Buffer.concat([file.subarray(from), Buffer.alloc(extraBytes)]);
  const at = (flipAt ?? -1) - from;
  if (at >= 0 && at < body.length) body.writeUInt8(body.readUInt8(at) ^ 1, at);
  return body;
}

async function send(
  response: ServerResponse,
  body: Buffer,
  { cutAfter, endAfter, stallAfter, slow }: Manners,
  { status, ...headers }: Record<string, string | number>,
): Promise<void> {
  const end = Math.min(body.length, cutAfter ?? endAfter ?? stallAfter ?? body.length);
  response.writeHead(Number(status), headers as Record<string, string>);
  for (let at = 0; at < end; at += 16384) {
    await new Promise((resolve) => response.write(body.subarray(at, Math.min(end, at + 16384)), resolve));
    if (slow) await new Promise((resolve) => setTimeout(resolve, slow));
  }
  if (cutAfter !== undefined) {
    // What was written goes out first: the reader is to see a beginning.
    response.socket?.end(() => response.socket?.destroy());
  } else if (stallAfter === undefined) response.end();
}
