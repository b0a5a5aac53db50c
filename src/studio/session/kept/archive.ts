import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import { namedTokens } from "../../../format/namedTokens";
import type { Run } from "../runs/shelfRun";

/** Keeps the runs of earlier visits. Nothing here ever rejects: where runs cannot be kept, they last for the visit. */
export interface RunArchive {
  /** Whether the run is kept now. */
  save(run: Run): Promise<boolean>;
  remove(id: string): Promise<void>;
  /** One kept run; null where it is not kept, or none can be. */
  get(id: string): Promise<Run | null>;
  /** All kept runs, in any order; null where none can be kept. */
  all(): Promise<Run[] | null>;
}

/** More runs than this are not kept: a run is some hundred kilobytes. */
const KEPT_RUNS = 20;

interface Schema extends DBSchema {
  runs: { key: string; value: Run; indexes: { startedAt: number } };
}

/** Raise with every change to `Run` or what it holds, but for what may be missing; runs of older versions are dropped. */
const VERSION = 1;

/** Milliseconds after which a database that says nothing counts as none; some browsers never answer. */
const PATIENCE = 5000;

/**
 * The archive in this browser's IndexedDB. Browsers have none, throw where its name is asked for, throw or fail when it is
 * opened, never answer, or close it later on; a full one refuses a run. All of that is the same here: nothing is kept.
 */
export function browserArchive(patience = PATIENCE): RunArchive {
  let opened: Promise<IDBPDatabase<Schema>> | undefined;

  function open(): Promise<IDBPDatabase<Schema>> {
    return within(
      patience,
      (giveUp) =>
        openDB<Schema>("elf-playground", VERSION, {
          upgrade(database) {
            for (const name of database.objectStoreNames) database.deleteObjectStore(name);
            database.createObjectStore("runs", { keyPath: "id" }).createIndex("startedAt", "startedAt");
          },
          // A tab with an older version of this page holds on to it.
          blocked: () => giveUp(new Error("The runs are held by another tab.")),
          // A tab with a newer version of this page wants it.
          blocking: (_current, _wanted, event) => (event.target as IDBDatabase).close(),
          // The browser closed it, perhaps because its data were cleared. The next run opens it again.
          terminated: () => {
            opened = undefined;
          },
        }),
      // One that comes after all would stand in the way of other tabs.
      (late) => late.close(),
    );
  }

  async function attempt<T, F>(task: (database: IDBPDatabase<Schema>) => Promise<T>, otherwise: F): Promise<T | F> {
    try {
      opened ??= open();
      return await task(await opened);
    } catch {
      return otherwise;
    }
  }

  return {
    save: (run) =>
      attempt(async (database) => {
        await database.put("runs", { ...run, pieces: namedPieces(run) });
        const ids = await database.getAllKeysFromIndex("runs", "startedAt");
        for (const id of ids.slice(0, -KEPT_RUNS)) await database.delete("runs", id);
        return true;
      }, false),
    remove: (id) => attempt((database) => database.delete("runs", id), undefined),
    get: (id) => attempt(async (database) => (await database.get("runs", id)) ?? null, null),
    all: () => attempt((database) => database.getAll("runs"), null),
  };
}

/** What `begin` comes to, unless it takes too long or gives up; what it comes to later goes to `onLate`. */
function within<T>(
  milliseconds: number,
  begin: (giveUp: (reason: Error) => void) => Promise<T>,
  onLate: (late: T) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let given = false;
    const giveUp = (reason: Error) => {
      given = true;
      clearTimeout(timer);
      reject(reason);
    };
    const timer = setTimeout(() => giveUp(new Error("The browser does not answer.")), milliseconds);
    begin(giveUp).then((result) => {
      clearTimeout(timer);
      if (given) onLate(result);
      else resolve(result);
    }, giveUp);
  });
}

/** The pieces that the run names, at their ids. */
export function namedPieces({ pieces, trajectory }: Run): string[] {
  const readings = trajectory.frames
    .flatMap(({ holds, expects }) => [holds, expects])
    .flatMap(({ tokens, topTokens }) => [tokens, topTokens]);
  const named: string[] = [];
  for (const token of namedTokens(trajectory, readings)) named[token] = pieces[token] ?? "";
  return Array.from(named, (piece) => piece ?? "");
}
