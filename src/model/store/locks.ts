/** What of the browser's lock manager is used; absent on plain http and in old browsers. */
type Locks = Pick<LockManager, "request">;

/**
 * Does `task` while no other tab or worker of this page holds the lock of that name, and gives the lock back, even when
 * the tab is closed. Waits for the lock until `wait` ends that; with `ifFree` leaves the task undone when it is taken.
 * Without a lock manager it goes ahead: the exclusive handles of the file system still keep two writers apart.
 * @throws whatever `task` throws; an AbortError when the wait was ended.
 */
export async function whileLocked(
  name: string,
  wait: AbortSignal | "ifFree",
  task: () => Promise<void>,
): Promise<void> {
  const locks = (globalThis.navigator as { locks?: Locks } | undefined)?.locks;
  if (!locks) return task();
  const options: LockOptions = wait === "ifFree" ? { ifAvailable: true } : { signal: wait };
  return locks.request(`elf:${name}`, options, async (lock) => {
    if (lock) await task();
  });
}
