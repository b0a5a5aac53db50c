import type * as z from "zod/mini";
import type { StoreApi } from "zustand/vanilla";
import { offered } from "../../../delivery/offered";

/** What of `localStorage` is used. Tests give a map; private windows may give none. */
export type TextStorage = Pick<Storage, "getItem" | "setItem">;

/** Reads what an earlier visit kept under `key`. Anything that no longer fits the schema counts as not kept. */
export function readKept<T>(storage: TextStorage | null, key: string, schema: z.ZodMiniType<T>): T | undefined {
  try {
    const text = storage?.getItem(key);
    return text ? schema.parse(JSON.parse(text)) : undefined;
  } catch {
    // Written by another version, or by hand. The defaults are the remedy, not a message.
    return undefined;
  }
}

/**
 * Writes `pick(state)` under `key` whenever it changes; `key` may turn to another as the state does: what comes with that is
 * nobody's change. What other tabs write there, too, `whole` puts together from what is picked now, what was picked before, and
 * what is kept by then.
 */
export function keep<S, T>(
  store: StoreApi<S>,
  storage: TextStorage | null,
  key: string | (() => string),
  pick: (state: S) => T,
  whole: (picked: T, before: T) => unknown = (picked) => picked,
): void {
  const keyNow = () => (typeof key === "string" ? key : key());
  let place = keyNow();
  let before = pick(store.getState());
  let kept = JSON.stringify(before);
  store.subscribe((state) => {
    const isTurned = place !== keyNow();
    place = keyNow();
    const picked = pick(state);
    const text = JSON.stringify(picked);
    if (text === kept) return;
    const last = before;
    before = picked;
    kept = text;
    if (isTurned) return;
    try {
      storage?.setItem(place, JSON.stringify(whole(picked, last)));
    } catch {
      // A full or forbidden storage must not stop the page; the choice lasts for this visit then.
    }
  });
}

/** The browser's storage, or null where it has none or forbids it. */
export function browserStorage(): TextStorage | null {
  return offered(() => globalThis.localStorage) ?? null;
}

/** `storage`, which tells `onRefused` whenever it does not do what is asked of it; at once where there is none. */
export function watchedStorage(storage: TextStorage | null, onRefused: () => void): TextStorage | null {
  if (!storage) {
    onRefused();
    return null;
  }
  const watched = <T>(ask: () => T): T => {
    try {
      return ask();
    } catch (error) {
      onRefused();
      throw error;
    }
  };
  return {
    getItem: (key) => watched(() => storage.getItem(key)),
    setItem: (key, text) => watched(() => storage.setItem(key, text)),
  };
}
