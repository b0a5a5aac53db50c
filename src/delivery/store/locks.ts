import { offered } from "../offered";

/** What of the browser's lock manager is used; absent on plain http and in old browsers. */
export type Locks = Pick<LockManager, "request">;

/** The browser's lock manager, where it has one. Even then it may refuse every lock: it does where cookies are forbidden. */
export function browserLocks(): LockManager | undefined {
  return offered(() => (globalThis.navigator as { locks?: LockManager } | undefined)?.locks);
}

/**
 * Does `task` while no other tab or worker of this page holds the lock of that name, and gives the lock back, even when
 * the tab is closed. Waits for the lock until `wait` ends that; with `ifFree` leaves the task undone when it is taken.
 * Without a lock manager, or where it refuses, it goes ahead: the exclusive handles of the file system still keep two
 * writers apart.
 * @throws whatever `task` throws; the signal's reason, or an AbortError, when the wait was ended.
 */
export async function whileLocked(
  name: string,
  wait: AbortSignal | "ifFree",
  task: () => Promise<void>,
): Promise<void> {
  const locks: Locks | undefined = browserLocks();
  if (!locks) return task();
  const options: LockOptions = wait === "ifFree" ? { ifAvailable: true } : { signal: wait };
  let answered = false;
  try {
    await locks.request(`elf:${name}`, options, async (lock) => {
      answered = true;
      if (lock) await task();
    });
  } catch (error) {
    if (answered) throw error;
    if (wait !== "ifFree") wait.throwIfAborted();
    // Refused before it was asked for anything.
    await task();
  }
}

/** Holds a lock from now on, for as long as this tab or worker lives. False where no lock is to be had. */
export async function holdForLife(name: string, locks: Locks | undefined = browserLocks()): Promise<boolean> {
  if (!locks) return false;
  try {
    return await new Promise<boolean>((resolve, reject) => {
      const request = locks.request(name, () => {
        resolve(true);
        return new Promise<never>(() => {});
      });
      request.catch(reject);
    });
  } catch {
    return false;
  }
}
