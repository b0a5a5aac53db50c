import type { Dtype, Manifest } from "../format/manifest";
import { Delivery, type DeliveryOptions } from "./delivery";
import { readManifest } from "./fetchManifest";
import { bytesOf, filesOf } from "./modelFiles";
import { whileLocked } from "./store/locks";
import { type Space, space } from "./store/space";
import type { Storage } from "./store/storage";

/** How much of a model is stored in one dtype. */
export interface StoredShare {
  readonly storedBytes: number;
  readonly totalBytes: number;
}

/** A model that is stored, in part or whole. */
export interface StoredModel {
  readonly baseUrl: string;
  /** Null where what was kept is of another version of the format: it can only be deleted. */
  readonly manifest: Manifest | null;
  readonly dtypes: Partial<Record<Dtype, StoredShare>>;
  /** What it takes, over all dtypes. */
  readonly bytes: number;
  /** What deleting it would free: files that no other model shares. */
  readonly ownBytes: number;
}

export interface Inventory {
  readonly models: readonly StoredModel[];
  readonly space: Space | null;
  /** Whether anything outlives the page. */
  readonly lasting: boolean;
}

/** Everything that is stored. */
export async function inventory({ store, catalogue }: Storage): Promise<Inventory> {
  const sizes = new Map((await store.list()).map(({ sha256, bytes }) => [sha256, bytes]));
  const records = await catalogue.all();
  const known = records.map(({ baseUrl, manifest }) => ({ baseUrl, manifest: readKept(manifest) }));
  const models = known.map(({ baseUrl, manifest }): StoredModel => {
    const others = new Set(
      known.filter((other) => other.baseUrl !== baseUrl).flatMap((other) => [...digestsOf(other.manifest)]),
    );
    const own = [...digestsOf(manifest)];
    const sum = (digests: readonly string[]) => digests.reduce((all, sha256) => all + (sizes.get(sha256) ?? 0), 0);
    return {
      baseUrl,
      manifest,
      dtypes: Object.fromEntries(
        Object.keys(manifest?.dtypes ?? {}).map((dtype) => {
          const files = manifest ? filesOf(manifest, dtype as Dtype) : [];
          return [dtype, { storedBytes: sum(files.map(({ sha256 }) => sha256)), totalBytes: bytesOf(files) }];
        }),
      ),
      bytes: sum(own),
      ownBytes: sum(own.filter((sha256) => !others.has(sha256))),
    };
  });
  return { models, space: await space(), lasting: store.lasting };
}

/**
 * Deletes a model and every file that no other stored model shares.
 * @throws {StoreError} another tab is loading one of them.
 */
export async function removeModel(baseUrl: string, storage: Storage): Promise<void> {
  const record = await storage.catalogue.get(baseUrl);
  await storage.catalogue.remove(baseUrl);
  const others = await storage.catalogue.all();
  const shared = new Set(others.flatMap(({ manifest }) => [...digestsOf(readKept(manifest))]));
  const own = [...digestsOf(record && readKept(record.manifest))].filter((sha256) => !shared.has(sha256));
  for (const sha256 of own) await storage.store.remove(sha256);
  await clearOrphans(storage);
}

/** Deletes files that belong to no stored model: those of an older version of one, or of one that cannot be read. */
export async function clearOrphans({ store, catalogue }: Storage): Promise<void> {
  const stored = await store.list();
  // Read after the files: a download notes its model before its first file.
  const wanted = new Set((await catalogue.all()).flatMap(({ manifest }) => [...digestsOf(readKept(manifest))]));
  for (const { sha256 } of stored) {
    if (!wanted.has(sha256)) await whileLocked(sha256, "ifFree", () => store.remove(sha256));
  }
}

/** Looks at a model without keeping anything of it. */
export async function lookAt(options: DeliveryOptions, signal?: AbortSignal): Promise<Manifest> {
  return (await Delivery.open(options, signal)).manifest;
}

function readKept(text: string): Manifest | null {
  try {
    return readManifest(text);
  } catch {
    return null;
  }
}

function digestsOf(manifest: Manifest | null): Set<string> {
  const dtypes = Object.keys(manifest?.dtypes ?? {}) as Dtype[];
  return new Set(manifest ? dtypes.flatMap((dtype) => filesOf(manifest, dtype).map(({ sha256 }) => sha256)) : []);
}
