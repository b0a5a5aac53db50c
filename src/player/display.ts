import { createStore, type StoreApi } from "zustand/vanilla";
import type { ReadingName } from "../flow/trajectory";

/** Whether the track is even in time or in steps. */
export type Axis = "time" | "steps";

export const SPEEDS = [0.25, 0.5, 1, 2, 4] as const;
export type Speed = (typeof SPEEDS)[number];

/** How a run is looked at; nothing here changes the run. */
export interface Display {
  /** Which of a frame's two readings the stage shows. */
  readonly reading: ReadingName;
  readonly axis: Axis;
  readonly speed: Speed;
}

export interface DisplayStore extends Display {
  set(change: Partial<Display>): void;
  switchReading(): void;
  switchAxis(): void;
  /** The next faster (+1) or slower (−1) speed; stays at the ends. */
  shiftSpeed(by: 1 | -1): void;
}

export function createDisplay(): StoreApi<DisplayStore> {
  return createStore<DisplayStore>()((set) => ({
    reading: "holds",
    axis: "time",
    speed: 1,

    set: (change) => set(change),
    switchReading: () => set(({ reading }) => ({ reading: reading === "holds" ? "expects" : "holds" })),
    switchAxis: () => set(({ axis }) => ({ axis: axis === "time" ? "steps" : "time" })),
    shiftSpeed: (by) => set(({ speed }) => ({ speed: SPEEDS[SPEEDS.indexOf(speed) + by] ?? speed })),
  }));
}
