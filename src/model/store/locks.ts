/** What of the browser's lock manager is used; absent on plain http and in old browsers. */
type Locks = Pick<LockManager, "request">;

/**
 * Does `task` while no other tab or worker of this page holds the lock of that name, and gives the lock back, even when
 * the tab is closed. Without a lock manager it goes ahead: the exclusive handles of the file system still keep two
 * writers apart.
 * @throws whatever `task` throws; an AbortError when `signal` ends the wait.
 */
export async function whileLocked<T>(
  name: string,
  signal: AbortSignal | undefined,
  task: () => Promise<T>,
): Promise<T> {
  const locks = (globalThis.navigator as { locks?: Locks } | undefined)?.locks;
  if (!locks) return task();
  return locks.request(`elf:${name}`, signal ? { signal } : {}, task);
}
