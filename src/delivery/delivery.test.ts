import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { NastyServer } from "../../test/browser/nasty-server";
import { ManifestError, ManifestVersionError } from "../format/manifest";
import { Delivery } from "./delivery";
import { fetchFromFiles, modelFolder } from "./folder";
import { UntrustedModelError } from "./graphCheck";
import { inventory, removeModel } from "./library";
import { bytesOf, filesOf } from "./modelFiles";
import { CorruptFileError, MissingFileError, UnreachableError } from "./store/errors";
import { memoryStorage, type Storage } from "./store/storage";

const folder = join(import.meta.dirname, "../../test/fixtures/tiny-model");
const names = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
const good = new Map(names.map((name) => [`tiny/${name}`, readFileSync(join(folder, name))]));
const files = new Map(good);
const server = new NastyServer(files);
let baseUrl: string;
let storage: Storage;

beforeAll(async () => {
  baseUrl = `${await server.start()}tiny/`;
});
afterAll(() => server.stop());
beforeEach(() => {
  storage = memoryStorage();
  for (const [name, bytes] of good) files.set(name, bytes);
  server.treat(() => ({}));
});

const options = (change: object = {}) => ({
  baseUrl,
  storage,
  fetchFile: (url: string, init: object) => fetch(url, init),
  ...change,
});

/** The manifest with changes made to its text. */
function rewrite(change: (manifest: Record<string, unknown>) => void): void {
  const manifest = JSON.parse(good.get("tiny/manifest.json")?.toString() ?? "");
  change(manifest);
  files.set("tiny/manifest.json", Buffer.from(JSON.stringify(manifest)));
}

describe("Delivery", () => {
  it("brings a whole model, reads it back checked, and asks for nothing twice", async () => {
    const delivery = await Delivery.open(options());
    const { defaultDtype } = delivery.manifest;
    await delivery.download(defaultDtype);
    for (const { path } of filesOf(delivery.manifest, defaultDtype)) {
      expect(good.get(`tiny/${path}`)?.equals(await delivery.read(path)), path).toBe(true);
    }
    const asked = server.asked.map(({ path }) => path);
    expect(new Set(asked).size).toBe(asked.length);
    expect(asked).not.toContain("tiny/README.md");
  });

  it("opens what is kept when nobody answers, and only then", async () => {
    await expect(
      Delivery.open(options({ fetchFile: () => Promise.reject(new TypeError("offline")) }), AbortSignal.timeout(50)),
    ).rejects.toThrow();
    const first = await Delivery.open(options());
    await first.download(first.manifest.defaultDtype);
    const offline = await Delivery.open(options({ fetchFile: () => Promise.reject(new TypeError("offline")) }));
    await offline.download(offline.manifest.defaultDtype);
    expect((await offline.read("tokenizer.json")).length).toBe(good.get("tiny/tokenizer.json")?.length);
    server.treat(() => ({ status: 404 }));
    await expect(Delivery.open(options())).rejects.toThrow(MissingFileError);
  });

  it("fetches again what the storage has damaged, and gives up where it does so each time", async () => {
    const delivery = await Delivery.open(options());
    const { store } = storage;
    const read = store.read.bind(store);
    let damages = 1;
    store.read = async (sha256) => {
      const bytes = await read(sha256);
      if (bytes && damages-- > 0) bytes[5] = (bytes[5] ?? 0) ^ 1;
      return bytes;
    };
    expect(good.get("tiny/tokenizer.json")?.equals(await delivery.read("tokenizer.json"))).toBe(true);
    expect(server.asked.filter(({ path }) => path === "tiny/tokenizer.json")).toHaveLength(2);
    damages = 2;
    await expect(delivery.read("tokenizer.json")).rejects.toThrow(CorruptFileError);
  });

  it.each([
    ["no JSON", () => files.set("tiny/manifest.json", Buffer.from("<html>")), ManifestError],
    [
      "another version",
      () => rewrite((manifest) => Object.assign(manifest, { schemaVersion: 99 })),
      ManifestVersionError,
    ],
    ["a manifest without end", () => files.set("tiny/manifest.json", Buffer.alloc(5e6, " ")), UntrustedModelError],
    [
      "a path out of the folder",
      () => rewrite((manifest) => Object.assign((manifest.files as object[])[0] as object, { path: "../../x" })),
      ManifestError,
    ],
    [
      "sizes beyond reason",
      () => rewrite((manifest) => Object.assign(manifest.architecture as object, { depth: 200, hiddenSize: 16384 })),
      UntrustedModelError,
    ],
  ])("refuses %s before asking for anything else", async (_, spoil, kind) => {
    spoil();
    await expect(Delivery.open(options())).rejects.toThrow(kind);
    expect(server.asked.map(({ path }) => path)).toEqual(["tiny/manifest.json"]);
    expect((await inventory(storage)).models).toEqual([]);
  });

  it("takes a folder that was dropped, from any level, as it takes a server", async () => {
    const dropped = [...good].map(([path, bytes]) => ({ path: `models/${path}`, file: new Blob([bytes as BlobPart]) }));
    const found = modelFolder(dropped);
    expect(found?.name).toBe("tiny");
    const source = { baseUrl: "folder:tiny-0123/", fetchFile: fetchFromFiles(found?.files ?? []) };
    const delivery = await Delivery.open(options(source));
    await delivery.download(delivery.manifest.defaultDtype);
    expect(good.get("tiny/tokenizer.json")?.equals(await delivery.read("tokenizer.json"))).toBe(true);
    expect(server.asked).toEqual([]);
  });

  it("takes files that were dropped without their folder", async () => {
    const dropped = [...good].map(([path, bytes]) => ({
      path: path.split("/").at(-1) ?? "",
      file: new Blob([bytes as BlobPart]),
    }));
    const found = modelFolder(dropped);
    const delivery = await Delivery.open(
      options({ baseUrl: "folder:x/", fetchFile: fetchFromFiles(found?.files ?? []) }),
    );
    await delivery.download(delivery.manifest.defaultDtype);
    expect(modelFolder([{ path: "notes.txt", file: new Blob() }])).toBeNull();
  });

  it("refuses a dropped folder with a changed or missing file", async () => {
    const bent = [...good].map(([path, bytes]) => {
      const copy = Buffer.from(bytes);
      if (path.endsWith("-00001.bin")) copy.writeUInt8(copy.readUInt8(9) ^ 1, 9);
      return { path, file: new Blob([copy as BlobPart]) };
    });
    const open = (placed: typeof bent) =>
      Delivery.open(options({ baseUrl: "folder:x/", fetchFile: fetchFromFiles(modelFolder(placed)?.files ?? []) }));
    const corrupt = await open(bent);
    await expect(corrupt.download(corrupt.manifest.defaultDtype)).rejects.toThrow(CorruptFileError);
    storage = memoryStorage();
    const whole = [...good].map(([path, bytes]) => ({ path, file: new Blob([bytes as BlobPart]) }));
    const lacking = await open(whole.filter(({ path }) => !path.endsWith("denoiser.onnx")));
    await expect(lacking.download(lacking.manifest.defaultDtype)).rejects.toThrow(MissingFileError);
  });
});

describe("inventory and removeModel", () => {
  it("tell what is stored and free what no other model shares", async () => {
    const delivery = await Delivery.open(options());
    const { manifest } = delivery;
    const { defaultDtype } = manifest;
    await delivery.download(defaultDtype);
    const total = bytesOf(filesOf(manifest, defaultDtype));
    expect((await inventory(storage)).models).toMatchObject([
      { baseUrl, bytes: total, ownBytes: total, dtypes: { [defaultDtype]: { storedBytes: total, totalBytes: total } } },
    ]);
    await storage.catalogue.put({ baseUrl: "https://mirror/x/", manifest: JSON.stringify(manifest), addedAt: 2 });
    expect((await inventory(storage)).models).toMatchObject([{ ownBytes: 0 }, { ownBytes: 0 }]);
    await removeModel(baseUrl, storage);
    expect((await inventory(storage)).models).toMatchObject([{ baseUrl: "https://mirror/x/", bytes: total }]);
    await removeModel("https://mirror/x/", storage);
    expect(await storage.store.list()).toEqual([]);
  });

  it("show a half-loaded model, and one that can no longer be read as to be deleted", async () => {
    const delivery = await Delivery.open(options());
    server.treat(({ path }) => (path.endsWith(".bin") ? { status: 403 } : {}));
    await expect(delivery.download(delivery.manifest.defaultDtype)).rejects.toThrow();
    const [half] = (await inventory(storage)).models;
    const { storedBytes = Number.NaN, totalBytes = 0 } = half?.dtypes[delivery.manifest.defaultDtype] ?? {};
    expect(storedBytes).toBeLessThan(totalBytes);
    await storage.catalogue.put({ baseUrl: "https://old/", manifest: '{"schemaVersion":1}', addedAt: 1 });
    expect((await inventory(storage)).models.find(({ baseUrl }) => baseUrl === "https://old/")?.manifest).toBeNull();
  });

  it("clear away the files of a model's older version", async () => {
    const delivery = await Delivery.open(options());
    await delivery.download(delivery.manifest.defaultDtype);
    const part = await storage.store.openPart("0".repeat(64));
    part.append(new Uint8Array(10));
    await removeModel("https://nothing/", storage);
    expect(await storage.store.partSize("0".repeat(64))).toBe(0);
    expect((await inventory(storage)).models[0]?.bytes).toBeGreaterThan(0);
  });

  it("name a server that does not answer", async () => {
    server.treat(() => ({ status: 400 }));
    await expect(Delivery.open(options())).rejects.toThrow(UnreachableError);
  });
});
