import { createHash } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";
import { CancelledError } from "../flow/errors";
import type { Manifest } from "./manifest";
import {
  CorruptFileError,
  type FetchFile,
  fetchFiles,
  fetchManifest,
  InsecurePageError,
  MissingFileError,
  TruncatedFileError,
  UnreachableError,
} from "./weights";

const weights = new TextEncoder().encode("weights of a model, ".repeat(500));
const graph = new TextEncoder().encode("a graph");
const PATHS = ["onnx/weights.bin", "onnx/denoiser.onnx"];

/** As much of a manifest as fetching reads. */
const manifest = {
  name: "fake",
  files: [
    { path: "onnx/weights.bin", bytes: weights.length, sha256: sha256(weights) },
    { path: "onnx/denoiser.onnx", bytes: graph.length, sha256: sha256(graph) },
  ],
} as unknown as Manifest;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A server that sends files in chunks of 1,000 bytes; `changes` replaces single answers. */
function server(changes: Record<string, () => Response | Promise<Response>> = {}): FetchFile {
  const answers: Record<string, () => Response | Promise<Response>> = {
    "models/fake/onnx/weights.bin": () => chunked(weights),
    "models/fake/onnx/denoiser.onnx": () => chunked(graph),
    ...changes,
  };
  return async (url) => answers[url]?.() ?? new Response("Not found", { status: 404 });
}

function chunked(bytes: Uint8Array, onChunk: () => void = () => {}): Response {
  let sent = 0;
  return new Response(
    new ReadableStream({
      pull(controller) {
        onChunk();
        if (sent >= bytes.length) return controller.close();
        controller.enqueue(bytes.slice(sent, sent + 1000));
        sent += 1000;
      },
    }),
  );
}

const baseUrl = "models/fake/";
const fetching = (fetchFile: FetchFile) => fetchFiles(manifest, PATHS, { baseUrl, fetchFile });
const withWeights = (answer: () => Response) => fetching(server({ "models/fake/onnx/weights.bin": answer }));

afterEach(() => void vi.unstubAllGlobals());

describe("fetchFiles", () => {
  it("hands out the bytes and reports them as they come, over all files", async () => {
    const seen: [number, number][] = [];
    const files = await fetchFiles(manifest, PATHS, { baseUrl, fetchFile: server() }, (...progress) =>
      seen.push(progress),
    );
    expect(files.get("onnx/weights.bin")).toEqual(weights);
    expect(files.get("onnx/denoiser.onnx")).toEqual(graph);
    const total = weights.length + graph.length;
    expect(seen[0]).toEqual([0, total]);
    expect(seen[1]).toEqual([1000, total]);
    expect(seen.at(-1)).toEqual([total, total]);
    expect(seen).toHaveLength(1 + 10 + 1);
  });

  it("fetches a file once that two graphs share", async () => {
    const fetchFile = vi.fn(server());
    await fetchFiles(manifest, [...PATHS, ...PATHS], { baseUrl, fetchFile });
    expect(fetchFile).toHaveBeenCalledTimes(2);
  });

  it("names a missing file", async () => {
    const answer = withWeights(() => new Response("Not found", { status: 404 }));
    await expect(answer).rejects.toThrow(MissingFileError);
    await expect(answer).rejects.toThrow("onnx/weights.bin");
  });

  it("takes a page in place of a file for a missing file", async () => {
    const page = () => new Response("<!doctype html>", { headers: { "content-type": "text/html; charset=utf-8" } });
    await expect(withWeights(page)).rejects.toThrow(MissingFileError);
  });

  it("names a truncated file and where it ended", async () => {
    const answer = withWeights(() => chunked(weights.slice(0, 4321)));
    await expect(answer).rejects.toThrow(TruncatedFileError);
    await expect(answer).rejects.toThrow("4321 of 10000 bytes");
  });

  it("names a file of the right size with wrong bytes", async () => {
    const other = weights.slice();
    other[5000] = 0;
    await expect(withWeights(() => chunked(other))).rejects.toThrow(CorruptFileError);
  });

  it("stops reading a file that is too long", async () => {
    let chunks = 0;
    const endless = () => chunked(new Uint8Array(1_000_000), () => chunks++);
    await expect(withWeights(endless)).rejects.toThrow(CorruptFileError);
    expect(chunks).toBeLessThan(20);
  });

  it.each([
    ["a failing server", () => new Response("", { status: 503 })],
    [
      "no connection",
      () => {
        throw new TypeError("fetch failed");
      },
    ],
    ["a connection that breaks", () => new Response(new ReadableStream({ pull: (c) => c.error(new Error("reset")) }))],
  ])("names %s", async (_, answer) => {
    await expect(withWeights(answer)).rejects.toThrow(UnreachableError);
  });

  it("ends when cancelled in the middle of a file", async () => {
    const abort = new AbortController();
    const fetchFile: FetchFile = async (_, { signal }) => {
      const response = chunked(weights);
      const body = response.body?.pipeThrough(new TransformStream(), signal ? { signal } : {});
      return new Response(body ?? null);
    };
    const answer = fetchFiles(manifest, PATHS, { baseUrl, fetchFile, signal: abort.signal }, (loaded) => {
      if (loaded >= 3000) abort.abort();
    });
    await expect(answer).rejects.toThrow(CancelledError);
  });

  it("says why nothing can be checked on a page that is not secure", async () => {
    vi.stubGlobal("crypto", {});
    await expect(fetching(server())).rejects.toThrow(InsecurePageError);
  });
});

describe("fetchManifest", () => {
  it("names a model that is not there", async () => {
    await expect(fetchManifest({ baseUrl: "models/nothing/", fetchFile: server() })).rejects.toThrow(MissingFileError);
  });
});
