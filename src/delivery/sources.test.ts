import { afterEach, describe, expect, it, vi } from "vitest";
import { fetchFromHost, folderSource, pinned, readSource, SourceError, shippedSource, sourceOf } from "./sources";

const page = "https://play.example/elf/";

describe("readSource", () => {
  it("takes no book that was pasted, and says so in a few words", () => {
    for (const book of [
      "a".repeat(300_000),
      `https://models.example/${"a/".repeat(150_000)}`,
      "One. Two. ".repeat(30_000),
    ]) {
      expect(() => readSource(book, page)).toThrow(SourceError);
      expect(() => readSource(book, page)).toThrow(/^3\d\d,\d\d\d letters are no address of a model\.$/);
    }
  });

  it.each([
    ["owner/ELF-B-owt", "https://huggingface.co/owner/ELF-B-owt/resolve/main/", "huggingface.co"],
    ["owner/ELF-B-owt@v1.0", "https://huggingface.co/owner/ELF-B-owt/resolve/v1.0/", "huggingface.co"],
    ["owner/x@refs/pr/3", "https://huggingface.co/owner/x/resolve/refs%2Fpr%2F3/", "huggingface.co"],
    ["https://huggingface.co/owner/x", "https://huggingface.co/owner/x/resolve/main/", "huggingface.co"],
    ["https://huggingface.co/owner/x/tree/dev", "https://huggingface.co/owner/x/resolve/dev/", "huggingface.co"],
    [
      "https://huggingface.co/me/elf/resolve/main/stories/",
      "https://huggingface.co/me/elf/resolve/main/stories/",
      "huggingface.co",
    ],
    [
      "https://huggingface.co/me/elf/tree/v1.0/all/stories",
      "https://huggingface.co/me/elf/resolve/v1.0/all/stories/",
      "huggingface.co",
    ],
    [
      "https://huggingface.co/me/elf/resolve/main/stories/manifest.json?download=true",
      "https://huggingface.co/me/elf/resolve/main/stories/",
      "huggingface.co",
    ],
    [
      "https://huggingface.co/me/elf/blob/main/manifest.json",
      "https://huggingface.co/me/elf/resolve/main/",
      "huggingface.co",
    ],
    [
      "https://huggingface.co/me/elf/blob/main/README.md",
      "https://huggingface.co/me/elf/resolve/main/",
      "huggingface.co",
    ],
    [
      "https://huggingface.co/me/elf/resolve/main/all/v1.5/model.onnx?download=true",
      "https://huggingface.co/me/elf/resolve/main/all/v1.5/",
      "huggingface.co",
    ],
    [
      "https://huggingface.co/me/elf/tree/v1.0/v1.5",
      "https://huggingface.co/me/elf/resolve/v1.0/v1.5/",
      "huggingface.co",
    ],
    ["https://huggingface.co/me/elf/blob/v1.0", "https://huggingface.co/me/elf/resolve/v1.0/", "huggingface.co"],
    [" https://models.example/elf-b ", "https://models.example/elf-b/", "models.example"],
    ["<https://models.example/elf-b>", "https://models.example/elf-b/", "models.example"],
    ["(https://models.example/elf-b/),", "https://models.example/elf-b/", "models.example"],
    ["https://models.example/elf-b(1)", "https://models.example/elf-b(1)/", "models.example"],
    ["\u200b“owner/ELF-B-owt”\ufeff", "https://huggingface.co/owner/ELF-B-owt/resolve/main/", "huggingface.co"],
    ["https://models.example/elf-b/manifest.json", "https://models.example/elf-b/", "models.example"],
    ["https://models.example:8443", "https://models.example:8443/", "models.example:8443"],
    ["https://play.example/other/", "https://play.example/other/", null],
    ["http://localhost:8000/x", "http://localhost:8000/x/", "localhost:8000"],
  ])("%s", (typed, baseUrl, host) => {
    const source = readSource(typed, page);
    expect(source).toMatchObject({ baseUrl, host });
    expect(sourceOf(source.baseUrl, page).baseUrl).toBe(baseUrl);
  });

  it("is called by its folder, as one is typed", () => {
    expect(readSource("https://huggingface.co/me/elf/tree/v1.0/all/stories/", page).label).toBe(
      "me/elf@v1.0/all/stories",
    );
    expect(readSource("https://huggingface.co/me/elf/blob/main/README.md", page).label).toBe("me/elf");
  });

  it.each([
    "",
    "one-word",
    "a/b/c",
    "../../etc",
    "owner/x@../../y",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "ftp://host/x",
    "https://huggingface.co/owner/x/tree/%E0%A4%A",
    "https://user:secret@host/x",
    "https://host/x?token=secret",
    "http://models.example/elf-b",
    "https://huggingface.co/owner/x%2F..%2F../tree/main",
    "https://huggingface.co/owner/x/tree/main/a%2F..%2F..%2Fb",
  ])("refuses %s", (typed) => {
    expect(() => readSource(typed, page)).toThrow(SourceError);
  });
});

describe("sourceOf", () => {
  it("knows shipped models and dropped folders again", () => {
    expect(sourceOf(shippedSource("stories-mini", page).baseUrl, page)).toEqual(shippedSource("stories-mini", page));
    const folder = folderSource("my model", "0123456789abcdef");
    expect(sourceOf(folder.baseUrl, page)).toMatchObject({
      kind: "folder",
      baseUrl: folder.baseUrl,
      label: "my-model",
    });
  });
});

describe("pinned", () => {
  const commit = "0123456789abcdef0123456789abcdef01234567";
  const told = (headers: Record<string, string>) => new Response(null, { headers });

  it("stays with the commit that the hub's first answer is of", () => {
    const main = "https://huggingface.co/o/m/resolve/main/";
    expect(pinned(main, told({ "x-repo-commit": commit }))).toBe(`https://huggingface.co/o/m/resolve/${commit}/`);
    expect(pinned(`${main}all/resolve/x/`, told({ "x-repo-commit": commit }))).toBe(
      `https://huggingface.co/o/m/resolve/${commit}/all/resolve/x/`,
    );
    expect(pinned(main, told({ "x-repo-commit": "../x" }))).toBe(main);
    expect(pinned(main, told({}))).toBe(main);
    expect(pinned("https://host/resolve/main/", told({ "x-repo-commit": commit }))).toBe("https://host/resolve/main/");
  });
});

describe("fetchFromHost", () => {
  afterEach(() => void vi.unstubAllGlobals());
  const answer = (fields: Partial<Response>) => Object.assign(new Response("x"), fields);
  const answering = (fields: Record<string, unknown>) => {
    const fetch = vi.fn(async () => {
      const response = answer({});
      for (const [name, value] of Object.entries(fields)) Object.defineProperty(response, name, { value });
      return response;
    });
    vi.stubGlobal("fetch", fetch);
    return fetch;
  };

  it("sends no cookies and no referrer elsewhere, and follows no redirect", async () => {
    const fetch = answering({});
    await fetchFromHost("https://models.example/x/manifest.json", {});
    expect(fetch).toHaveBeenCalledWith(
      "https://models.example/x/manifest.json",
      expect.objectContaining({ credentials: "same-origin", referrerPolicy: "no-referrer", redirect: "manual" }),
    );
    answering({ type: "opaqueredirect" });
    await expect(fetchFromHost("https://models.example/x/a.bin", {})).rejects.toThrow("sends this page elsewhere");
  });

  it("lets the hub hand files to its own hosts only", async () => {
    const url = "https://huggingface.co/o/m/resolve/main/onnx/w.bin";
    answering({ redirected: true, url: "https://cas-bridge.xethub.hf.co/abc" });
    expect((await fetchFromHost(url, {})).status).toBe(200);
    for (const elsewhere of ["https://evil.example/abc", "http://cdn.hf.co/abc", "https://nothf.co/abc"]) {
      answering({ redirected: true, url: elsewhere });
      await expect(fetchFromHost(url, {})).rejects.toThrow("sends this page elsewhere");
    }
  });
});
