import { formatBytes } from "../bytes";
import { offered } from "../offered";
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

function storageManager(): Partial<Storage> | undefined {
  return offered(() => (globalThis.navigator as { storage?: Storage } | undefined)?.storage);
}

/** The room this page has; null where the browser does not say. Where storage is forbidden, even the question may be. */
export async function space(): Promise<Space | null> {
  const manager = storageManager();
  try {
    const { quota, usage } = (await manager?.estimate?.()) ?? {};
    if (quota === undefined || usage === undefined) return null;
    const persisted = await isPersisted(manager);
    return { freeBytes: Math.max(0, quota - usage), usedBytes: usage, persisted };
  } catch {
    return null;
  }
}

async function isPersisted(manager: Partial<Storage> | undefined): Promise<boolean> {
  try {
    return (await manager?.persisted?.()) ?? false;
  } catch {
    return false;
  }
}

/** Asks the browser not to clear this page's storage by itself; some ask the person, some decide alone. */
export async function persist(): Promise<boolean> {
  try {
    return (await storageManager()?.persist?.()) ?? false;
  } catch {
    return false;
  }
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
