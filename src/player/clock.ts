import type { StoreApi } from "zustand/vanilla";
import type { DisplayStore } from "./display";
import type { PlaybackStore } from "./playback";

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

/** Whether anybody can see the player; `document` is one. */
export type Visibility = Pick<Document, "hidden" | "addEventListener" | "removeEventListener">;

/** Moves the playback on while it plays and can be seen. Returns what stops it. */
export function startClock(
  playback: StoreApi<PlaybackStore>,
  display: StoreApi<DisplayStore>,
  visibility?: Visibility,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wind = () => {
    const { playing, total, stills, advance } = playback.getState();
    if (!playing || visibility?.hidden || timer !== undefined) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        advance();
        wind();
      },
      1000 * frameSeconds(total, display.getState().speed, stills),
    );
  };
  const halt = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const onVisibility = () => (visibility?.hidden ? halt() : wind());
  const unsubscribe = playback.subscribe(({ playing }) => (playing ? wind() : halt()));
  visibility?.addEventListener("visibilitychange", onVisibility);
  wind();
  return () => {
    unsubscribe();
    visibility?.removeEventListener("visibilitychange", onVisibility);
    halt();
  };
}
