import { createStore, type StoreApi } from "zustand/vanilla";

/** The one time axis of a player: which frame of its run is shown, and whether it moves by itself. */
export interface PlaybackStore {
  /** Frame shown, 0 … `last`. */
  readonly index: number;
  /** Newest frame there is; −1 while there is none. */
  readonly last: number;
  /** Frame at t = 1, whether or not the run has got there. */
  readonly total: number;
  /** Whether frames are still being written. */
  readonly live: boolean;
  readonly playing: boolean;
  /** Whether the newest frame is shown as soon as it arrives. */
  readonly following: boolean;
  /** Show start, middle and end as stills instead of moving through all frames. */
  readonly stills: boolean;
  /** Whether it has played to the end by itself, and nobody has moved it since. */
  readonly over: boolean;

  /** Turns to another run; `first` is the frame where it goes on from another, 0 where it does not. */
  attach(run: { last: number; total: number; live: boolean; first?: number }, show: "start" | "end"): void;
  /** More frames arrived, or the run ended. */
  grow(last: number, live: boolean): void;
  /** Shows a frame because the person asked for it: playing and following stop. */
  seek(index: number): void;
  step(by: number): void;
  toggle(): void;
  play(): void;
  /** The newest frame; of a run being written the end is what comes next, so it is followed. */
  toEnd(): void;
  /** The clock's tick: one frame on, or one still. */
  advance(): void;
  showStills(stills: boolean): void;
}

export function createPlayback(): StoreApi<PlaybackStore> {
  return createStore<PlaybackStore>()((set, get) => ({
    index: 0,
    last: -1,
    total: 0,
    live: false,
    playing: false,
    following: false,
    stills: false,
    over: false,

    attach: ({ last, total, live, first = 0 }, show) =>
      set(({ stills }) => ({
        last,
        total,
        live,
        // Of a fork the frame is a still, too, that it leaves its parent at.
        index: show === "start" ? 0 : live && stills ? Math.max(first, stillBefore(last, total)) : Math.max(0, last),
        playing: false,
        following: live && show === "end",
        over: false,
      })),
    grow: (last, live) =>
      set(({ following, index, total, stills }) => ({
        last,
        live,
        // The end of a run is shown as it is, stills or not: it may have been stopped between two of them.
        index: following ? Math.max(0, stills && live ? Math.max(index, stillBefore(last, total)) : last) : index,
        following: following && live,
      })),
    seek: (index) => set(({ last }) => ({ index: clamp(index, last), playing: false, following: false, over: false })),
    step: (by) => get().seek(get().index + by),
    toggle: () => (get().playing || get().following ? set({ playing: false, following: false }) : get().play()),
    play: () =>
      set(({ index, last, live }) => {
        if (live && index >= last) return { following: true };
        return { playing: last > 0, index: index >= last ? 0 : index, over: false };
      }),
    toEnd: () => {
      const { live, last, seek, play } = get();
      seek(last);
      if (live) play();
    },
    advance: () =>
      set(({ index, last, total, live, playing, stills }) => {
        if (!playing) return {};
        const next = stills ? stillAfter(index, total, last) : index + 1;
        if (next < last) return { index: next };
        return { index: Math.max(0, last), playing: false, following: live, over: !live };
      }),
    showStills: (stills) => set({ stills }),
  }));
}

/** Start, middle and end of a run of `total` steps. */
function stillsOf(total: number): number[] {
  return [0, Math.round(total / 2), total];
}

function stillAfter(index: number, total: number, last: number): number {
  return stillsOf(total).find((still) => still > index) ?? last;
}

function stillBefore(index: number, total: number): number {
  return stillsOf(total).findLast((still) => still <= index) ?? 0;
}

function clamp(index: number, last: number): number {
  return Math.min(Math.max(0, index), Math.max(0, last));
}
