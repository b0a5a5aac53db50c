import { createStore, type StoreApi } from "zustand/vanilla";
import type { LoadedModel, LoadProgress } from "../../engine/protocol";
import { bytesOf, filesOf } from "../../model/delivery";
import type { Manifest } from "../../model/manifest";
import { beginDownload, type Download, trackDownload } from "./download";

/**
 * Where the model stands: only its recording is here, it is coming, it can write, it could not be had, or the engine has
 * lost it and can have it again.
 */
export type ModelStatus = "recorded" | "loading" | "ready" | "error" | "lost";

export interface ModelStore {
  /** Name in the page's address and in the folder `models/`. */
  readonly name: string;
  readonly status: ModelStatus;
  /** Known early: it says what a download would cost. */
  readonly manifest: Manifest | null;
  readonly loaded: LoadedModel | null;
  readonly progress: Progress | null;

  describe(manifest: Manifest): void;
  begin(): void;
  report(progress: LoadProgress, nowSeconds: number): void;
  finish(loaded: LoadedModel): void;
  /** A load was cancelled, or the engine has lost the model. */
  giveUp(status: "recorded" | "error" | "lost"): void;
}

export interface Progress {
  readonly phase: LoadProgress["phase"];
  /** The graph being made ready in the phase `session`. */
  readonly graph: string | null;
  /** The download so far; stays as it ended in the later phases. */
  readonly download: Download | null;
}

export function createModel(name: string): StoreApi<ModelStore> {
  return createStore<ModelStore>()((set) => ({
    name,
    status: "recorded",
    manifest: null,
    loaded: null,
    progress: null,

    describe: (manifest) => set({ manifest }),
    begin: () => set({ status: "loading", loaded: null, progress: { phase: "manifest", graph: null, download: null } }),
    report: (news, now) =>
      set(({ progress, status }) => {
        // News that was on its way when the load was cancelled.
        if (status !== "loading") return {};
        const before = progress?.download ?? null;
        if (news.phase !== "download") {
          return {
            progress: { phase: news.phase, graph: news.phase === "session" ? news.graph : null, download: before },
          };
        }
        const { loadedBytes, totalBytes } = news;
        const download = before
          ? trackDownload(before, loadedBytes, totalBytes, now)
          : beginDownload(loadedBytes, totalBytes, now);
        return { progress: { phase: "download", graph: null, download } };
      }),
    finish: (loaded) => set({ status: "ready", loaded, manifest: loaded.manifest, progress: null }),
    giveUp: (status) => set({ status, loaded: null, progress: null }),
  }));
}

/** Bytes that a load fetches. */
export function downloadBytes(manifest: Manifest): number {
  return bytesOf(filesOf(manifest, manifest.defaultDtype));
}
