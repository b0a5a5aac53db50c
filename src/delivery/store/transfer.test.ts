import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Asked, type Manners, NastyServer, type Packing } from "../../../test/browser/nasty-server";
import type { ManifestFile } from "../../format/manifest";
import { CorruptFileError, ForbiddenError, MissingFileError, TruncatedFileError, UnreachableError } from "./errors";
import { MemoryStore } from "./memoryStore";
import type { FetchFile } from "./request";
import { pauseAfter } from "./retry";
import { transfer } from "./transfer";

const BYTES = 100_000;
/** Of the file, where a transfer is broken off. */
const BROKEN_AT = 40_000;

/** Bytes that can be packed a little. */
function bytesOf(seed: number): Buffer {
  const bytes = Buffer.alloc(BYTES);
  for (let i = 0, state = seed; i < BYTES; i++) {
    state = (state * 1664525 + 1013904223) >>> 0;
    bytes[i] = (state >>> 24) & 0x3f;
  }
  return bytes;
}

const content = bytesOf(1);
const file: ManifestFile = {
  path: "a.bin",
  bytes: BYTES,
  sha256: createHash("sha256").update(content).digest("hex"),
};
const server = new NastyServer(new Map([["a.bin", content]]));
let url: string;
let store: MemoryStore;
let notes: string[];
/** Bytes that were here, whenever that was reported. */
let sizes: number[];

beforeAll(async () => {
  url = `${await server.start()}a.bin`;
});
afterAll(() => server.stop());
beforeEach(() => {
  store = new MemoryStore();
  notes = [];
  sizes = [];
  server.treat(() => ({}));
});

const fetchHere: FetchFile = (address, init) => fetch(address, init as RequestInit);

/** As a page of another origin sees an answer: most headers cannot be read. */
const fetchElsewhere: FetchFile = async (address, init) => {
  const response = await fetch(address, init as RequestInit);
  const seen = ["cache-control", "content-language", "content-length", "content-type", "expires", "last-modified"];
  const headers = new Headers([...response.headers].filter(([name]) => seen.includes(name)));
  return Object.defineProperties(response, { type: { value: "cors" }, headers: { value: headers } });
};

interface Wishes {
  readonly fetchFile?: FetchFile;
  readonly patience?: typeof pauseAfter;
}

/** Transfers the file in as many tries as there really are, without the waits; keeps it where it is whole. */
async function bring({ fetchFile = fetchHere, patience }: Wishes = {}): Promise<void> {
  const part = await store.openPart(file.sha256);
  const options = {
    url,
    fetchFile,
    foreign: fetchFile === fetchElsewhere,
    stallSeconds: 0.4,
    onBytes: (bytes: number) => sizes.push(bytes),
    onNote: (note: string) => notes.push(note),
    pauseAfter: patience ?? ((failures, fault) => (pauseAfter(failures, fault) === null ? null : 0.001)),
  } satisfies Parameters<typeof transfer>[2];
  await transfer(file, part, options);
  await part.keep();
}

/** Leaves the first bytes of the file here, as a visit does whose line broke. */
async function breakOff(manners: (asked: Asked) => Manners = () => ({}), wishes: Wishes = {}): Promise<void> {
  server.treat((asked) => ({ ...manners(asked), cutAfter: BROKEN_AT }));
  await expect(bring({ ...wishes, patience: () => null })).rejects.toThrow(UnreachableError);
  expect(await store.partSize(file.sha256)).toBeGreaterThan(1000);
  notes = [];
  sizes = [];
}

async function expectWhole(): Promise<void> {
  expect(content.equals((await store.read(file.sha256)) ?? new Uint8Array())).toBe(true);
}

const asksForRest = ({ range }: Asked) => range !== undefined;
const toRests = (manners: Manners) => (asked: Asked) => (asksForRest(asked) ? manners : {});
const whats = () => server.asked.map((asked) => (asksForRest(asked) ? "rest" : "whole"));

/** Hosts where asking for the rest does not help, and never will. */
const HOSTS: Record<string, (asked: Asked) => Manners> = {
  ...Object.fromEntries(
    [400, 401, 403, 404, 405, 406, 409, 410, 411, 412, 413, 416, 417, 418, 422, 426, 431, 451, 500, 501, 505, 507].map(
      (status) => [`answers ${status} to a range`, toRests({ status })],
    ),
  ),
  "answers 416 with another length": toRests({ odd: { status: 416, headers: { "Content-Range": "bytes */33333" } } }),
  "answers 416 with the right length": toRests({
    odd: { status: 416, headers: { "Content-Range": `bytes */${BYTES}` } },
  }),
  "answers 416 with no length": toRests({ odd: { status: 416, headers: { "Content-Range": "bytes */*" } } }),
  "answers 204 to a range": toRests({ odd: { status: 204 } }),
  "answers 304 to a range": toRests({ odd: { status: 304 } }),
  "answers 200 without a byte": toRests({ odd: { status: 200, headers: { "Content-Length": "0" } } }),
  "answers 206 without a byte": toRests({ odd: { status: 206, headers: { "Content-Range": `bytes */${BYTES}` } } }),
  "resets the connection at a range": toRests({ reset: true }),
  "breaks off a range before its first byte": toRests({ cutAfter: 0 }),
  "is silent at a range": toRests({ stallAfter: 0 }),
  "shows a web page at a range": toRests({ html: true }),
  "says an error as JSON, with status 200": toRests({
    odd: { status: 200, headers: { "Content-Type": "application/json" }, body: Buffer.from('{"error":"range"}') },
  }),
  "sends a range from later on": toRests({ contentRange: `bytes 70000-99999/${BYTES}`, shift: 30_000 }),
  "sends no Content-Range": toRests({ contentRange: null }),
  "sends a Content-Range that is none": toRests({ contentRange: "bytes" }),
  "sends a Content-Range of other units": toRests({ contentRange: `items 1-2/${BYTES}` }),
  "sends a Content-Range past the end": toRests({ contentRange: `bytes 1000-${BYTES + 5}/${BYTES}` }),
  "counts other bytes in all": toRests({ lieBy: 17 }),
  "sends a range as several parts": toRests({ multipart: true }),
  "has another weak ETag each time": (asked) => ({ etag: `W/"${asked.turn}-${asked.range ?? ""}"` }),
  "has another strong ETag at ranges": toRests({ etag: '"another"' }),
  "sends a range as if it were the whole": toRests({ rangeAs200: true }),
  "sends a range as if it were the whole, in chunks": toRests({ rangeAs200: true, chunked: true }),
  ...Object.fromEntries(
    (["gzip", "br", "deflate"] as Packing[]).flatMap((packed) => [
      [`stores the file packed by ${packed}`, () => ({ packed, storedPacked: true })],
      [`packs by ${packed} and knows no ranges`, () => ({ packed, ignoreRange: true })],
      [`packs by ${packed} and forbids ranges`, (asked: Asked) => (asksForRest(asked) ? { status: 403 } : { packed })],
    ]),
  ),
};

/** Hosts that give the rest, each in its way. */
const HELPFUL: Record<string, (asked: Asked) => Manners> = {
  "has manners": () => ({}),
  "knows no ranges": () => ({ ignoreRange: true }),
  "knows no ranges and sends chunks": () => ({ ignoreRange: true, chunked: true }),
  "sends ranges in chunks": () => ({ chunked: true }),
  "does not say how long the file is": toRests({ contentRange: `bytes ${BROKEN_AT}-${BYTES - 1}/*` }),
  "writes Content-Range with an equals sign": toRests({ contentRange: `BYTES=${BROKEN_AT}-${BYTES - 1}/${BYTES}` }),
  "gives at most 9,000 bytes of a range": () => ({ mostOfRange: 9000 }),
  "packs what is whole": () => ({ packed: "gzip" }),
  "packs what is whole by brotli": () => ({ packed: "br" }),
  "calls its file strong once and weak once": (asked) => ({ etag: asksForRest(asked) ? 'W/"a"' : '"a"' }),
  "is busy for a moment": (asked) => (asked.turn === 0 ? { status: 503 } : {}),
  "is busy for a moment and says how long": (asked) => (asked.turn === 0 ? { status: 429, retryAfter: "0" } : {}),
};

describe("a transfer that was broken off", () => {
  for (const [elsewhere, fetchFile] of [
    ["here", fetchHere],
    ["from another origin", fetchElsewhere],
  ] as const) {
    it.each(
      Object.entries(HOSTS),
    )(`ends well, with nothing lost, at a host that %s, ${elsewhere}`, async (_, manners) => {
      // What was packed gives no byte before its first block is whole.
      await breakOff((asked) => (manners(asked).packed ? {} : manners(asked)), { fetchFile });
      const before = await store.partSize(file.sha256);
      server.treat(manners);
      await bring({ fetchFile });
      await expectWhole();
      expect(Math.min(...sizes), "what was here stays").toBeGreaterThanOrEqual(before);
      // Asked for once in vain, and not again; where the headers cannot be read, it shows at the end only.
      const inVain = whats().filter((what) => what === "rest").length;
      expect(inVain).toBeGreaterThan(0);
      expect(inVain).toBeLessThanOrEqual(fetchFile === fetchElsewhere ? 2 : 1);
      expect(whats().filter((what) => what === "whole").length).toBeLessThanOrEqual(1);
      expect(notes.length, notes.join("\n")).toBeLessThanOrEqual(fetchFile === fetchElsewhere ? 2 : 1);
    });

    it.each(Object.entries(HELPFUL))(`goes on at a host that %s, ${elsewhere}`, async (_, manners) => {
      await breakOff(() => ({}), { fetchFile });
      const before = await store.partSize(file.sha256);
      server.treat(manners);
      await bring({ fetchFile });
      await expectWhole();
      expect(Math.min(...sizes)).toBeGreaterThanOrEqual(before);
      expect(whats()).not.toContain("whole");
      expect(notes).toEqual([]);
    });
  }

  it("says what it gave up, and why, once, however often the line breaks after that", async () => {
    await breakOff();
    server.treat((asked) => (asksForRest(asked) ? { status: 403 } : { cutAfter: BROKEN_AT + 10_000 * asked.turn }));
    await bring();
    await expectWhole();
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^a\.bin could not be gone on with at byte \d+: the server answered 403\. The whole file/);
    expect(whats().filter((what) => what === "rest")).toHaveLength(1);
  });

  it("asks again for the rest where the server has given it before, whatever becomes of the line", async () => {
    await breakOff();
    server.treat(({ turn }) => (turn % 2 === 0 ? { cutAfter: 12_000 } : { reset: true }));
    await bring();
    await expectWhole();
    expect(whats()).not.toContain("whole");
  });

  it("takes a busy server's word for it once, and then asks for the whole", async () => {
    await breakOff();
    server.treat(toRests({ status: 503 }));
    await bring();
    await expectWhole();
    expect(whats()).toEqual(["rest", "rest", "whole"]);
    expect(notes).toEqual([
      expect.stringMatching(/at byte \d+: the server was busy each time\. The whole file is asked/),
    ]);
    // Where nobody answers, that is said.
    store = new MemoryStore();
    await breakOff();
    server.treat(toRests({ reset: true }));
    await bring();
    expect(notes).toEqual([expect.stringMatching(/at byte \d+: the server sent nothing of the rest\. The whole/)]);
  });

  it("does not blame the range while there is no connection at all", async () => {
    await breakOff();
    vi.stubGlobal("navigator", { onLine: false });
    server.treat(({ turn }) => (turn < 4 ? { reset: true } : {}));
    await bring();
    vi.unstubAllGlobals();
    expect(whats()).not.toContain("whole");
  });

  it("keeps of a file that changed what stayed the same, and takes the rest from the new one", async () => {
    // Here lie 20,000 right bytes and as many wrong ones.
    const part = await store.openPart(file.sha256);
    part.append(Uint8Array.from(content.subarray(0, 20_000)));
    part.append(new Uint8Array(20_000));
    await part.setOrigin({ url, etag: '"old"' });
    await bring();
    await expectWhole();
    expect(whats()).toEqual(["rest"]);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(20_000);
    expect(notes).toEqual(["a.bin is another one than before from byte 20000 on."]);
  });

  it("finds out at the end that a range was not what it said, and keeps what was right", async () => {
    await breakOff();
    const before = await store.partSize(file.sha256);
    server.treat(toRests({ shift: 30_000, contentRange: `bytes ${before}-${BYTES - 1}/${BYTES}`, extraBytes: 30_000 }));
    await bring();
    await expectWhole();
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(before);
  });

  it("is whole when all of it has come, whatever length the server told", async () => {
    server.treat(() => ({ lieBy: 100 }));
    await bring({ fetchFile: fetchElsewhere });
    await expectWhole();
    expect(server.asked).toHaveLength(1);
  });

  it("is not spoilt by a page of a network that wants a password", async () => {
    await breakOff();
    const before = await store.partSize(file.sha256);
    server.treat(() => ({ html: true }));
    await expect(bring()).rejects.toThrow(MissingFileError);
    expect(await store.partSize(file.sha256)).toBe(before);
    server.treat(() => ({}));
    await bring();
    await expectWhole();
  });

  it.each<[string, Manners, new (...all: never[]) => Error]>([
    ["is gone", { status: 404 }, MissingFileError],
    ["is private now", { status: 403 }, ForbiddenError],
    ["cannot be had", { status: 501 }, UnreachableError],
    ["cannot be reached", { reset: true }, UnreachableError],
    ["is cut short", { lieBy: -5000, endAfter: 20_000 }, TruncatedFileError],
    [
      "is shorter",
      { odd: { status: 200, headers: { "Content-Length": "5" }, body: Buffer.alloc(5) } },
      TruncatedFileError,
    ],
    ["is longer", { extraBytes: 10 }, CorruptFileError],
  ])("keeps what is here where the file %s", async (_, manners, kind) => {
    await breakOff();
    const before = await store.partSize(file.sha256);
    server.treat(() => manners);
    await expect(bring()).rejects.toThrow(kind);
    expect(await store.partSize(file.sha256)).toBeGreaterThanOrEqual(before);
    expect(await store.size(file.sha256)).toBeNull();
    server.treat(() => ({}));
    await bring();
    await expectWhole();
  });

  it.each([
    ["of a known length", false],
    ["in chunks", true],
  ])("names the pointer that Git LFS leaves in the place of a file, %s", async (_, chunked) => {
    const body = Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${file.sha256}\nsize ${BYTES}\n`);
    const headers: Record<string, string> = chunked ? {} : { "Content-Length": String(body.length) };
    for (const fetchFile of [fetchHere, fetchElsewhere]) {
      server.treat(() => ({ odd: { status: 200, headers, body } }));
      await expect(bring({ fetchFile })).rejects.toThrow(/only the pointer of a file kept by Git LFS/);
      server.treat(() => ({}));
      await bring({ fetchFile });
      await expectWhole();
      store = new MemoryStore();
    }
  });

  it("ends well at hosts that behave in all of these ways by turns, and never keeps a wrong file", async () => {
    const ways = [...Object.values(HOSTS), ...Object.values(HELPFUL)];
    let state = 7;
    const draw = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let round = 0; round < 40; round++) {
      store = new MemoryStore();
      const turns = Array.from({ length: 4 }, () => ({ way: ways[draw(ways.length)], cut: draw(BYTES) }));
      server.treat((asked) => {
        const { way, cut } = turns[asked.turn] ?? {};
        const manners = way?.(asked) ?? {};
        // A host that is silent takes its time, which is not what this is about.
        return cut === undefined || manners.stallAfter !== undefined ? {} : { ...manners, cutAfter: cut };
      });
      await bring({ fetchFile: round % 2 ? fetchElsewhere : fetchHere, patience: () => 0.001 });
      await expectWhole();
    }
  });
});
