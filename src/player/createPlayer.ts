import { createStore, type StoreApi } from "zustand/vanilla";
import { startClock, type Visibility } from "./clock";
import { createDisplay, type DisplayStore } from "./display";
import { createInspection, type InspectionStore } from "./inspection";
import { createPlayback, type PlaybackStore } from "./playback";
import { isComplete, type ShownRun, stepsOf } from "./run/run";
import { ENGLISH, type Words } from "./words";

/** A set of elements that keeps none of them alive. */
export type Grounds = Pick<WeakSet<EventTarget>, "add" | "has">;

/**
 * Shows one run and knows no app: what is shown, at which time, in which way. Two players share nothing. Views read the
 * stores by `useStore`; whoever brings the run calls `show`, again and again while it grows.
 */
export interface Player {
  /** The run shown; null while there is none. */
  readonly run: StoreApi<ShownRun | null>;
  readonly playback: StoreApi<PlaybackStore>;
  readonly display: StoreApi<DisplayStore>;
  readonly inspection: StoreApi<InspectionStore>;
  /**
   * Elements whose presses and focus belong to this player, so that time may go on under a token's card. Views enter
   * themselves; a second player's are not among them, but for those of the one that this one stands within.
   */
  readonly grounds: Grounds;
  /** What its views say. */
  readonly words: Words;
  /** The language of the runs' texts; undefined where it is that of the page around them. */
  readonly textLanguage: string | undefined;
  /** Turns to another run, at its start or its newest frame; one that has grown stays where it was. */
  show(run: ShownRun | null, at?: "start" | "end"): void;
  /** Ends the clock, and all listening. The player must not be used after. */
  dispose(): void;
}

export interface PlayerOptions {
  readonly run?: ShownRun;
  /** Nothing moves while nobody can see it. Without one it always can be seen. */
  readonly visibility?: Visibility;
  /** Whether motion is unwelcome, `matchMedia("(prefers-reduced-motion: reduce)")`: then stills are shown. */
  readonly motion?: Pick<MediaQueryList, "matches" | "addEventListener" | "removeEventListener">;
  /** English unless given. */
  readonly words?: Words;
  /** The language of the runs' texts, as in the attribute `lang`; that of the page unless given. */
  readonly textLanguage?: string | undefined;
  /** The player by whose time this one's run is shown: what moves that is no reason to put a token's card away. */
  readonly within?: Pick<Player, "grounds"> | undefined;
}

export function createPlayer({
  run,
  visibility,
  motion,
  words = ENGLISH,
  textLanguage,
  within,
}: PlayerOptions = {}): Player {
  const shown = createStore<ShownRun | null>()(() => null);
  const playback = createPlayback();
  const display = createDisplay();
  const inspection = createInspection();
  const stopClock = startClock(playback, display, visibility);
  const heedMotion = () => playback.getState().showStills(motion?.matches ?? false);
  heedMotion();
  motion?.addEventListener("change", heedMotion);

  function show(next: ShownRun | null, at: "start" | "end" = "end"): void {
    const before = shown.getState();
    if (next === before) return;
    shown.setState(next, true);
    if (next?.id !== before?.id) inspection.getState().pin(null);
    const { attach, grow } = playback.getState();
    if (!next) attach({ last: -1, total: 0, live: false }, "start");
    else if (next.id === before?.id) grow(lastOf(next), isLive(next));
    else {
      const first = next.trajectory.from?.step ?? 0;
      attach({ last: lastOf(next), total: stepsOf(next), live: isLive(next), first }, at);
    }
  }

  if (run) show(run);
  return {
    run: shown,
    playback,
    display,
    inspection,
    words,
    textLanguage,
    grounds: groundsWithin(within?.grounds),
    show,
    dispose: () => {
      stopClock();
      motion?.removeEventListener("change", heedMotion);
    },
  };
}

/** Asked anew each time: what is around may enter later, and what enters here is no ground out there. */
function groundsWithin(around: Grounds | undefined): Grounds {
  const own: Grounds = new WeakSet();
  return { add: (element) => own.add(element), has: (element) => own.has(element) || (around?.has(element) ?? false) };
}

function lastOf({ trajectory }: ShownRun): number {
  return trajectory.frames.length - 1;
}

function isLive(run: ShownRun): boolean {
  return run.status === "running" && !isComplete(run);
}
