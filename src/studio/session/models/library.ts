import { createStore, type StoreApi } from "zustand/vanilla";
import { modelFolder, type PlacedFile } from "../../../delivery/folder";
import type { StoredModel } from "../../../delivery/library";
import {
  folderSource,
  type ModelSource,
  readSource,
  SourceError,
  shippedSource,
  sourceOf,
} from "../../../delivery/sources";
import type { Wait } from "../../../delivery/store/request";
import type { Space } from "../../../delivery/store/space";
import { isCancellation, type Problem, problemOf } from "../../../flow/errors";
import type { Dtype, Manifest } from "../../../format/manifest";
import type { Machine } from "../../../runtime/memoryPlan";
import type { LibraryApi } from "../../../worker/libraryProtocol";
import type { Words } from "../../words/english";
import { beginDownload, type Download, trackDownload } from "./download";

/** A model as the shelf shows it. */
export interface ShelfModel {
  readonly source: ModelSource;
  /** Null while it is being asked for, and where what is stored of it can no longer be read. */
  readonly manifest: Manifest | null;
  /** Of a folder that was dropped on this visit. */
  readonly files?: readonly PlacedFile[] | undefined;
  /** Null where nothing of it is stored. */
  readonly stored: StoredModel | null;
}

/** A download into the store, without a load. */
export interface ShelfDownload {
  readonly baseUrl: string;
  readonly dtype: Dtype;
  readonly progress: Download | null;
  readonly wait: Wait | null;
  readonly note?: string | undefined;
}

/** The models that are shipped, stored, or were looked up on this visit. */
export interface LibraryStore {
  readonly isOpen: boolean;
  readonly models: readonly ShelfModel[];
  readonly space: Space | null;
  /** Whether downloads outlive the page; null until it is known. */
  readonly lasting: boolean | null;
  /** What decides on memory; null until it is known. */
  readonly machine: Machine | null;
  /** What is being looked up, as the person wrote it. */
  readonly looking: string | null;
  readonly download: ShelfDownload | null;
  readonly problem: Problem | null;
  /** What was done last, to be said aloud. */
  readonly news: string;

  show(isOpen: boolean): void;
  /** Reads again what is stored. Never rejects, as none of these: what goes wrong becomes `problem`. */
  refresh(): Promise<void>;
  /** Looks up a hub id or an address. */
  add(typed: string): Promise<void>;
  /** Looks through files that were dropped or picked. */
  addFiles(placed: readonly PlacedFile[]): Promise<void>;
  /** Brings a model into the store. */
  keep(model: ShelfModel, dtype: Dtype): Promise<void>;
  /** Ends what is being looked up or downloaded. */
  cancel(): Promise<void>;
  remove(model: ShelfModel): Promise<void>;
  /** Asks the browser not to clear the store by itself. */
  persist(): Promise<void>;
  dismiss(): void;
}

export interface LibraryParts {
  readonly library: LibraryApi;
  /** Address of the page. */
  readonly pageUrl: string;
  readonly fetchShippedNames: () => Promise<readonly string[]>;
  readonly findMachine: () => Promise<Machine>;
  readonly persist: () => Promise<boolean>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly words: () => Words;
}

export function createLibraryStore(parts: LibraryParts): StoreApi<LibraryStore> {
  const { library, pageUrl, fetchShippedNames, findMachine, persist, now } = parts;
  const news = () => parts.words().models.news;
  const shipped = new Map<string, Manifest>();
  let names: readonly string[] | undefined;

  return createStore<LibraryStore>()((set, get) => {
    /** Does something that may fail, and says so in place of throwing. */
    async function attempt(task: () => Promise<void>): Promise<void> {
      set({ problem: null });
      try {
        await task();
      } catch (error) {
        if (!isCancellation(error)) set({ problem: problemOf(error) });
      }
    }

    async function look(source: ModelSource, files?: readonly PlacedFile[]): Promise<void> {
      set({ looking: source.label });
      try {
        const manifest = await library.look({ baseUrl: source.baseUrl, files });
        set(({ models }) => ({
          models: withModel(models, { source, manifest, files, stored: null }),
          news: news().found(manifest.title),
        }));
      } finally {
        set({ looking: null });
      }
    }

    async function shippedModels(): Promise<ShelfModel[]> {
      names ??= await fetchShippedNames();
      const sources = names.map((name) => shippedSource(name, pageUrl));
      await Promise.all(
        sources.map(async ({ baseUrl }) => {
          // One that cannot be read stands there without its particulars.
          const manifest = shipped.get(baseUrl) ?? (await library.look({ baseUrl }).catch(() => null));
          if (manifest) shipped.set(baseUrl, manifest);
        }),
      );
      return sources.map((source) => ({ source, manifest: shipped.get(source.baseUrl) ?? null, stored: null }));
    }

    async function readStored(): Promise<void> {
      const { models, space, lasting } = await library.inventory();
      set((state) => ({
        space,
        lasting,
        models: models
          .flatMap((stored): ShelfModel[] => {
            const source = sourceOrNull(stored.baseUrl, pageUrl);
            return source ? [{ source, manifest: stored.manifest, stored }] : [];
          })
          .reduce(
            withModel,
            state.models.map((model) => ({ ...model, stored: null })),
          ),
      }));
    }

    return {
      isOpen: false,
      models: [],
      space: null,
      lasting: null,
      machine: null,
      looking: null,
      download: null,
      problem: null,
      news: "",

      show: (isOpen) => {
        set({ isOpen });
        if (isOpen) void get().refresh();
      },
      refresh: () =>
        attempt(async () => {
          const machine = get().machine ?? (await findMachine());
          set({ machine });
          await readStored();
          const ours = await shippedModels();
          set(({ models }) => ({ models: ours.reduce(withModel, models) }));
        }),
      add: (typed) => attempt(async () => look(readSource(typed, pageUrl))),
      addFiles: (placed) =>
        attempt(async () => {
          const found = modelFolder(placed);
          const manifest = found?.files.find(({ path }) => path === "manifest.json");
          if (!found || !manifest) {
            throw new SourceError(
              "There is no manifest.json among these files.",
              "Drop the whole folder that elf export wrote, or all of its files together.",
            );
          }
          // Nothing else on the page reckons one.
          const { sha256Of } = await import("../../../delivery/store/sha256");
          const digest = await sha256Of(new Uint8Array(await manifest.file.slice(0, 1e6).arrayBuffer()));
          await look(folderSource(found.name, digest), found.files);
        }),
      keep: (model, dtype) =>
        attempt(async () => {
          const { baseUrl } = model.source;
          const title = model.manifest?.title ?? model.source.label;
          set({ download: { baseUrl, dtype, progress: null, wait: null }, news: "" });
          try {
            await library.download({ baseUrl, files: model.files }, dtype, ({ loadedBytes, totalBytes, wait, note }) =>
              set(({ download }) => {
                // News that was on its way when the download ended.
                if (!download) return {};
                const seconds = now() / 1000;
                const progress = download.progress
                  ? trackDownload(download.progress, loadedBytes, totalBytes, seconds)
                  : beginDownload(loadedBytes, totalBytes, seconds);
                return { download: { ...download, progress, wait, note } };
              }),
            );
            set({ news: news().stored(title) });
          } finally {
            set({ download: null });
            await readStored().catch(() => {});
          }
        }),
      cancel: () => attempt(() => library.cancel()),
      remove: (model) =>
        attempt(async () => {
          await library.remove(model.source.baseUrl);
          const { baseUrl, kind } = model.source;
          // A shipped model can be had again; of all others nothing is left to show.
          if (kind !== "shipped") {
            set(({ models }) => ({ models: models.filter(({ source }) => source.baseUrl !== baseUrl) }));
          }
          set({ news: news().deleted(model.manifest?.title ?? model.source.label) });
          await readStored();
        }),
      persist: () =>
        attempt(async () => {
          const granted = await persist();
          set({ news: granted ? news().kept : news().notKept });
          await readStored();
        }),
      dismiss: () => set({ problem: null }),
    };
  });
}

/** The shelf with this model on it: in the place of the one from the same source, or at the end. */
function withModel(models: readonly ShelfModel[], model: ShelfModel): readonly ShelfModel[] {
  const at = models.findIndex(({ source }) => source.baseUrl === model.source.baseUrl);
  const before = models[at];
  if (!before) return [...models, model];
  const files = model.files ?? before.files;
  const merged = {
    ...before,
    manifest: model.manifest ?? before.manifest,
    stored: model.stored ?? before.stored,
    ...(files ? { files } : {}),
  };
  return models.with(at, merged);
}

function sourceOrNull(baseUrl: string, pageUrl: string): ModelSource | null {
  try {
    return sourceOf(baseUrl, pageUrl);
  } catch {
    return null;
  }
}
