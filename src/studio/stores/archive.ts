import { type DBSchema, openDB } from "idb";
import { rootOf } from "../../flow/recipe";
import type { Run } from "../run/run";

/** Keeps the runs of earlier visits. */
export interface RunArchive {
  save(run: Run): Promise<void>;
  remove(id: string): Promise<void>;
  /** All kept runs, in any order. */
  all(): Promise<Run[]>;
}

/** More runs than this are not kept: a run is some hundred kilobytes. */
const KEPT_RUNS = 20;

interface Schema extends DBSchema {
  runs: { key: string; value: Run; indexes: { startedAt: number } };
}

/** Raise with every change to `Run` or what it holds; runs of older versions are dropped. */
const VERSION = 1;

/**
 * The archive in this browser's IndexedDB. Where that is forbidden or full, runs last for the visit: every method
 * then quietly does nothing.
 */
export function browserArchive(): RunArchive {
  const opened = openDB<Schema>("elf-playground", VERSION, {
    upgrade(database) {
      for (const name of database.objectStoreNames) database.deleteObjectStore(name);
      database.createObjectStore("runs", { keyPath: "id" }).createIndex("startedAt", "startedAt");
    },
  });
  opened.catch(() => {});
  return {
    save: async (run) => {
      try {
        const database = await opened;
        await database.put("runs", { ...run, pieces: namedPieces(run) });
        const ids = await database.getAllKeysFromIndex("runs", "startedAt");
        for (const id of ids.slice(0, -KEPT_RUNS)) await database.delete("runs", id);
      } catch {}
    },
    remove: async (id) => {
      try {
        await (await opened).delete("runs", id);
      } catch {}
    },
    all: async () => {
      try {
        return await (await opened).getAll("runs");
      } catch {
        return [];
      }
    },
  };
}

/** The pieces that the run names in its frames or its prompt, at their ids; a vocabulary is larger than a run. */
export function namedPieces({ pieces, trajectory }: Run): string[] {
  const named: string[] = [];
  const { prompt } = rootOf(trajectory);
  for (const token of prompt && "ids" in prompt ? prompt.ids : []) named[token] = pieces[token] ?? "";
  for (const { holds, expects } of trajectory.frames) {
    for (const tokens of [holds.tokens, holds.topTokens, expects.tokens, expects.topTokens]) {
      for (const token of tokens) named[token] = pieces[token] ?? "";
    }
  }
  return Array.from(named, (piece) => piece ?? "");
}
