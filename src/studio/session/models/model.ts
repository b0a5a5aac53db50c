import { createStore, type StoreApi } from "zustand/vanilla";
import type { PlacedFile } from "../../../delivery/folder";
import { bytesOf, filesOf } from "../../../delivery/modelFiles";
import { SHIPPED_FOLDER } from "../../../delivery/shipped";
import type { ModelSource } from "../../../delivery/sources";
import type { Wait } from "../../../delivery/store/request";
import type { Dtype, Manifest } from "../../../format/manifest";
import type { LoadedModel, LoadProgress } from "../../../run/api";
import { beginDownload, type Download, trackDownload } from "./download";

/**
 * Where the model stands: only its recording is here, it is coming, it can write, it could not be had, or the engine has
 * lost it and can have it again.
 */
export type ModelStatus = "recorded" | "loading" | "ready" | "error" | "lost";

/** Which model is wanted, and in what form. */
export interface ModelChoice {
  /** Folder that holds its `manifest.json`, ending in `/`; may be relative to the page. */
  readonly baseUrl: string;
  /** How the weights are stored; null for the model's default. */
  readonly dtype: Dtype | null;
  /** Where it comes from. */
  readonly kind: ModelSource["kind"];
  /** The same as the person knows it. */
  readonly label: string;
  /** The files of a folder that was dropped on this visit. */
  readonly files?: readonly PlacedFile[] | undefined;
}

export interface ModelStore {
  /** Name in its manifest; of the first one, that in the page's address. */
  readonly name: string;
  readonly choice: ModelChoice;
  readonly status: ModelStatus;
  /** Known early: it says what a download would cost. */
  readonly manifest: Manifest | null;
  readonly loaded: LoadedModel | null;
  readonly progress: Progress | null;

  describe(manifest: Manifest): void;
  /** Turns to another model, or to another form of this one, which is not loaded yet. */
  choose(choice: ModelChoice, manifest: Manifest): void;
  begin(): void;
  report(progress: LoadProgress, nowSeconds: number): void;
  finish(loaded: LoadedModel): void;
  /** A load was cancelled, or the engine has lost the model. */
  giveUp(status: "recorded" | "error" | "lost"): void;
}

export interface Progress {
  readonly phase: LoadProgress["phase"];
  /** The graph being made ready in the phase `session`, or tested in `check`. */
  readonly graph: string | null;
  /** The download so far; stays as it ended in the later phases. */
  readonly download: Download | null;
  /** The wait before another try, while the download is held up. */
  readonly wait: Wait | null;
  /** What of the download was given up or turned out wrong, last. */
  readonly note?: string | undefined;
}

export function createModel(name: string): StoreApi<ModelStore> {
  return createStore<ModelStore>()((set) => ({
    name,
    choice: { baseUrl: `${SHIPPED_FOLDER}${name}/`, dtype: null, kind: "shipped", label: `models/${name}` },
    status: "recorded",
    manifest: null,
    loaded: null,
    progress: null,

    describe: (manifest) => set({ manifest }),
    choose: (choice, manifest) =>
      set({ name: manifest.name, choice, manifest, status: "recorded", loaded: null, progress: null }),
    begin: () =>
      set({
        status: "loading",
        loaded: null,
        progress: { phase: "manifest", graph: null, download: null, wait: null },
      }),
    report: (news, now) =>
      set(({ progress, status }) => {
        // News that was on its way when the load was cancelled.
        if (status !== "loading") return {};
        const before = progress?.download ?? null;
        if (news.phase !== "download") {
          return {
            progress: {
              phase: news.phase,
              graph: "graph" in news ? news.graph : null,
              download: before,
              wait: null,
            },
          };
        }
        const { loadedBytes, totalBytes, wait, note } = news;
        const download = before
          ? trackDownload(before, loadedBytes, totalBytes, now)
          : beginDownload(loadedBytes, totalBytes, now);
        return { progress: { phase: "download", graph: null, download, wait, note } };
      }),
    finish: (loaded) => set({ status: "ready", loaded, manifest: loaded.manifest, progress: null }),
    giveUp: (status) => set({ status, loaded: null, progress: null }),
  }));
}

/** Bytes that a load fetches. */
export function downloadBytes(manifest: Manifest, dtype: Dtype | null = null): number {
  return bytesOf(filesOf(manifest, dtype ?? manifest.defaultDtype));
}
