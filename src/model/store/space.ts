import { formatBytes } from "../bytes";
import { NoSpaceError } from "./errors";

/** What the browser says of the room this page has. */
export interface Space {
  /** Bytes that may still be kept. */
  readonly freeBytes: number;
  /** Bytes that this page's origin takes, models and everything else. */
  readonly usedBytes: number;
  /** Whether the browser has promised not to clear them by itself. */
  readonly persisted: boolean;
}

/** What of the browser's storage manager is used; absent on plain http. */
type Storage = Pick<StorageManager, "estimate" | "persist" | "persisted">;

function storageManager(): Storage | undefined {
  return (globalThis.navigator as { storage?: Storage } | undefined)?.storage;
}

/** The room this page has; null where the browser does not say. */
export async function space(): Promise<Space | null> {
  const manager = storageManager();
  if (!manager?.estimate) return null;
  const { quota, usage } = await manager.estimate();
  if (quota === undefined || usage === undefined) return null;
  return { freeBytes: Math.max(0, quota - usage), usedBytes: usage, persisted: (await manager.persisted?.()) ?? false };
}

/** Asks the browser not to clear this page's storage by itself; some ask the person, some decide alone. */
export async function persist(): Promise<boolean> {
  return (await storageManager()?.persist?.()) ?? false;
}

/**
 * Refuses a download that would not fit, before its first byte.
 * @throws {NoSpaceError} with need and room.
 */
export async function requireSpace(bytes: number, lasting: boolean): Promise<void> {
  if (!lasting) return;
  const room = await space();
  if (!room || room.freeBytes >= bytes) return;
  throw new NoSpaceError(
    `This model needs ${formatBytes(bytes)} of storage, and the browser has ${formatBytes(room.freeBytes)} left for this page.`,
    "Delete stored models in the model shelf, free space on this device, or choose a smaller precision.",
  );
}
