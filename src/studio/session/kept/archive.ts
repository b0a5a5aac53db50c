import { type DBSchema, type IDBPDatabase, type IDBPTransaction, openDB } from "idb";
import type { Trajectory } from "../../../flow/trajectory";
import { namedTokens } from "../../../format/namedTokens";
import { bytesOf, canBeShown, foldRun, type Run } from "../runs/shelfRun";

/** Keeps the runs of earlier visits. Nothing here ever rejects: where runs cannot be kept, they last for the visit. */
export interface RunArchive {
  /** Keeps the run, and gives the ids of older ones that had to go for it; null where it is not kept. */
  save(run: Run): Promise<readonly string[] | null>;
  remove(id: string): Promise<void>;
  /** One kept run, whole; null where it is not kept, undefined where nobody can say. */
  get(id: string): Promise<Run | null | undefined>;
  /** All kept runs, folded (`foldRun`), in any order; null where none can be kept. */
  all(): Promise<Run[] | null>;
}

/** What is kept: no more runs, nor more bytes of frames, of which a run has some hundred kilobytes, one of a large model tens of millions. */
const MOST = { runs: 1000, bytes: 400e6 };

/** What of a run is only looked at when the run itself is. */
interface KeptFrames extends Pick<Trajectory, "frames" | "paths"> {
  readonly id: string;
  readonly pieces: readonly string[];
}

interface Schema extends DBSchema {
  /** Folded, so that a thousand of them are there at once. */
  runs: { key: string; value: Run; indexes: { startedAt: number } };
  frames: { key: string; value: KeptFrames };
}

/**
 * Raise with every change to `Run` or what it holds, but for what may be missing, and say in `upgrade` how runs of the version before
 * become such; those of older ones are dropped. Version 1 had whole runs in `runs`.
 */
const VERSION = 2;

/** Milliseconds after which a database that says nothing counts as none; some browsers never answer. */
const PATIENCE = 5000;

/**
 * The archive in this browser's IndexedDB. Browsers have none, throw where its name is asked for, throw or fail when it is
 * opened, never answer, or close it later on; a full one refuses a run. All of that is the same here: nothing is kept.
 */
export function browserArchive(patience = PATIENCE, most = MOST): RunArchive {
  let opened: Promise<IDBPDatabase<Schema>> | undefined;

  function open(): Promise<IDBPDatabase<Schema>> {
    return within(
      patience,
      (giveUp) =>
        openDB<Schema>("elf-playground", VERSION, {
          async upgrade(database, before, _, transaction) {
            const whole = before === 1 ? await transaction.objectStore("runs").getAll() : [];
            for (const name of database.objectStoreNames) database.deleteObjectStore(name);
            database.createObjectStore("runs", { keyPath: "id" }).createIndex("startedAt", "startedAt");
            database.createObjectStore("frames", { keyPath: "id" });
            for (const run of whole.filter(canBeShown)) await put(transaction, run);
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

  /** The list of a connection that gives it; one that does not, or not in time, is closed, so that the next has a new one. */
  async function listed(database: IDBPDatabase<Schema>): Promise<Run[]> {
    try {
      return await within(
        patience,
        () => database.getAll("runs"),
        () => {},
      );
    } catch (error) {
      opened = undefined;
      database.close();
      throw error;
    }
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
        const transaction = database.transaction(["runs", "frames"], "readwrite");
        const runs = transaction.objectStore("runs");
        const isNew = (await runs.getKey(run.id)) === undefined;
        await put(transaction, run);
        // A run that grows is kept once a second: what there is is looked through once for each.
        const gone = isNew ? surplus(await runs.getAll(), most) : [];
        for (const id of gone) await takeOut(transaction, id);
        await transaction.done;
        return gone;
      }, null),
    remove: (id) =>
      attempt(async (database) => {
        const transaction = database.transaction(["runs", "frames"], "readwrite");
        await takeOut(transaction, id);
        await transaction.done;
      }, undefined),
    get: (id) =>
      attempt(async (database) => {
        const transaction = database.transaction(["runs", "frames"]);
        const run = await transaction.objectStore("runs").get(id);
        const frames = await transaction.objectStore("frames").get(id);
        return run && frames ? wholeRun(run, frames) : null;
      }, undefined),
    // Asked twice: where a page is left while it writes, WebKit may leave the next page's first question unanswered, or fail it.
    all: async () => (await attempt(listed, undefined)) ?? attempt(listed, null),
  };
}

type Writing<Mode extends "readwrite" | "versionchange"> = Pick<
  IDBPTransaction<Schema, ("runs" | "frames")[], Mode>,
  "objectStore"
>;

async function put(transaction: Writing<"readwrite"> | Writing<"versionchange">, run: Run): Promise<void> {
  const { id, trajectory } = run;
  const { frames, paths } = trajectory;
  await transaction.objectStore("frames").put({ id, pieces: namedPieces(run), frames, ...(paths ? { paths } : {}) });
  await transaction.objectStore("runs").put(foldRun(run));
}

async function takeOut(transaction: Writing<"readwrite">, id: string): Promise<void> {
  await transaction.objectStore("runs").delete(id);
  await transaction.objectStore("frames").delete(id);
}

/** Those of the kept runs that are too many, the oldest; the newest stays, however large it is. */
function surplus(runs: readonly Run[], most: typeof MOST): string[] {
  let bytes = 0;
  return runs
    .toSorted((a, b) => b.startedAt - a.startedAt)
    .filter((run, place) => {
      bytes += canBeShown(run) ? bytesOf(run) : 0;
      return place >= most.runs || (place > 0 && bytes > most.bytes);
    })
    .map(({ id }) => id);
}

function wholeRun({ folded: _, ...run }: Run, { pieces, frames, paths }: KeptFrames): Run {
  return { ...run, pieces, trajectory: { ...run.trajectory, frames, ...(paths ? { paths } : {}) } };
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
