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

/** Moves the playback on while it plays. Returns what stops it. */
export function startPlayer(playback: StoreApi<PlaybackStore>, preferences: StoreApi<PreferencesStore>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wind = () => {
    const { playing, total, stills, advance } = playback.getState();
    if (!playing || timer !== undefined) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        advance();
        wind();
      },
      1000 * frameSeconds(total, preferences.getState().speed, stills),
    );
  };
  const unsubscribe = playback.subscribe(({ playing }) => {
    if (playing) {
      wind();
      return;
    }
    clearTimeout(timer);
    timer = undefined;
  });
  wind();
  return () => {
    unsubscribe();
    clearTimeout(timer);
  };
}
