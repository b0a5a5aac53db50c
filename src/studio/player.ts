import type { StoreApi } from "zustand/vanilla";
import type { PlaybackStore } from "./stores/playback";
import type { PreferencesStore } from "./stores/preferences";

/** Seconds that a run takes to play at speed 1, as far as the bounds on one frame allow. */
const RUN_SECONDS = 5.5;
const FRAME_LEAST = 0.06;
const FRAME_MOST = 0.35;
/** Stills are read, not watched. */
const STILL_SECONDS = 1.6;

/** Seconds that one frame stands. */
export function frameSeconds(total: number, speed: number, stills: boolean): number {
  if (stills) return STILL_SECONDS / speed;
  return Math.min(FRAME_MOST, Math.max(FRAME_LEAST, RUN_SECONDS / Math.max(1, total))) / speed;
}

/** Whether anybody can see the page; `document` is one. */
export type Visibility = Pick<Document, "hidden" | "addEventListener" | "removeEventListener">;

/** Moves the playback on while it plays and the page can be seen. Returns what stops it. */
export function startPlayer(
  playback: StoreApi<PlaybackStore>,
  preferences: StoreApi<PreferencesStore>,
  page?: Visibility,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wind = () => {
    const { playing, total, stills, advance } = playback.getState();
    if (!playing || page?.hidden || timer !== undefined) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        advance();
        wind();
      },
      1000 * frameSeconds(total, preferences.getState().speed, stills),
    );
  };
  const halt = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const onVisibility = () => (page?.hidden ? halt() : wind());
  const unsubscribe = playback.subscribe(({ playing }) => (playing ? wind() : halt()));
  page?.addEventListener("visibilitychange", onVisibility);
  wind();
  return () => {
    unsubscribe();
    page?.removeEventListener("visibilitychange", onVisibility);
    halt();
  };
}
